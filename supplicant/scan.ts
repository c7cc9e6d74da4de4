import { variant } from './bus.ts'
import { demand, frequencies as mhz, milliseconds, optional } from './checks.ts'
import { type FrameProtection, securityOf } from './elements.ts'
import { SupplicantError } from './errors.ts'
import type { SupplicantInterface } from './interface.ts'

const BSS = 'fi.w1.wpa_supplicant1.BSS'

/** One access point's radio as it was heard. */
export interface Bss {
  path: string
  bssid: string
  ssid: Uint8Array
  /** The SSID as text where it is printable UTF-8, hex otherwise; empty when hidden. */
  name: string
  /** MHz. */
  frequency: number
  /** dBm. */
  signal: number
  /** Seconds since it was last heard. */
  age: number
  /**
   * `open`, `wep`, `wpa`, or the key management offered, e.g. `wpa-psk`, `sae`, `wpa-eap-sha256`, `owe`; `owe-transition`
   * beside `open` where the same network is offered by OWE too.
   */
  security: string[]
  /** Management frame protection (802.11w). */
  pmf: FrameProtection
  /** Of OWE transition: the SSID of the network beside this one, open or encrypted. */
  partner?: Uint8Array
}

export interface ScanOptions {
  /** MHz; all channels otherwise. */
  frequencies?: readonly number[]
  /** Hidden networks answer only when asked by name. */
  ssids?: readonly (string | Uint8Array)[]
  /** Milliseconds; 15000. A full scan over two bands takes about 4 s. */
  deadline?: number
}

/** Scans once and gives what was heard, strongest first. Rejects with `call-timeout` when the radio never reports. */
export async function scan(
  target: SupplicantInterface,
  options: ScanOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Bss[]> {
  signal.throwIfAborted()
  demand('scan.frequencies', options.frequencies, optional(mhz))
  demand('scan.deadline', options.deadline, optional(milliseconds))
  const body: Record<string, unknown> = { Type: variant('s', 'active'), AllowRoam: variant('b', false) }
  const ssids = (options.ssids ?? []).map(ssid => Buffer.from(ssid))
  if (ssids.length > 0) body['SSIDs'] = variant('aay', ssids)
  const frequencies = options.frequencies ?? []
  if (frequencies.length > 0)
    body['Channels'] = variant(
      'a(uu)',
      frequencies.map(frequency => [frequency, 20]),
    )
  const done = scanDone(target, options.deadline ?? 15_000, signal)
  await Promise.all([target.call('Scan', 'a{sv}', [body]), done])
  return await heard(target)
}

/** What the supplicant remembers of earlier scans, strongest first. */
export async function heard(target: SupplicantInterface): Promise<Bss[]> {
  const paths = (await target.refresh())['BSSs']
  const all = await Promise.all(
    (Array.isArray(paths) ? paths.map(String) : []).map(path => read(target, path)),
  )
  return all.filter(bss => bss !== undefined).sort((a, b) => b.signal - a.signal)
}

async function read(target: SupplicantInterface, path: string): Promise<Bss | undefined> {
  try {
    return bssOf(path, await target.properties(path, BSS))
  } catch (error) {
    // It aged out between the list and the question.
    if (error instanceof SupplicantError && error.code === 'interface-unknown') return undefined
    throw error
  }
}

function scanDone(target: SupplicantInterface, deadline: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error) => {
      clearTimeout(timer)
      subscription[Symbol.dispose]()
      signal.removeEventListener('abort', abort)
      if (error === undefined) resolve()
      else reject(error)
    }
    const abort = () => {
      end(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      end(
        new SupplicantError('call-timeout', `${target.name} reported no scan results within ${deadline} ms`),
      )
    }, deadline)
    const subscription = target.on(news => {
      if (news.kind === 'scan-done') end()
      if (news.kind === 'gone') end(news.error)
    })
    signal.addEventListener('abort', abort, { once: true })
  })
}

/**
 * A BSS from its D-Bus properties (wpa_supplicant, `fi.w1.wpa_supplicant1.BSS`). Its security is read from the elements:
 * the property `RSN` does not know OWE, and names a cipher for management frames where they are not protected. Pure.
 */
export function bssOf(path: string, properties: Record<string, unknown>): Bss {
  const { BSSID, SSID, Frequency, Signal, Age } = properties as Partial<Record<string, unknown>>
  const ssid = bytes(SSID)
  const { management, protection, partner } = securityOf(bytes(properties['IEs']))
  const none = properties['Privacy'] === true ? 'wep' : 'open'
  return {
    path,
    bssid: [...bytes(BSSID)].map(byte => byte.toString(16).padStart(2, '0')).join(':'),
    ssid,
    name: nameOf(ssid),
    frequency: number(Frequency),
    signal: number(Signal),
    age: number(Age),
    security: management.every(name => name === 'owe-transition') ? [none, ...management] : management,
    pmf: protection,
    ...(partner === undefined ? {} : { partner }),
  }
}

function nameOf(ssid: Uint8Array): string {
  if (ssid.every(byte => byte === 0)) return ''
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(ssid)
  } catch {
    return Buffer.from(ssid).toString('hex')
  }
}

const bytes = (value: unknown): Uint8Array => (value instanceof Uint8Array ? value : new Uint8Array())
const number = (value: unknown): number => (typeof value === 'number' ? value : 0)
