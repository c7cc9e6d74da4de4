import { type Attempt, beginAttempt, type Passphrase } from './attempt.ts'
import { type Blob, type NetworkBlock, usesEap } from './block.ts'
import { demand, frequencies, milliseconds, optional, shape } from './checks.ts'
import { DEADLINES, type Deadlines } from './deadlines.ts'
import { isSupplicantError, joinError } from './errors.ts'
import type { SupplicantInterface } from './interface.ts'
import { type Joined, Run, type RunOptions } from './run.ts'
import { type Bss, heard, scan } from './scan.ts'

export interface JoinOptions extends RunOptions {
  blobs?: readonly Blob[]
  /** Overrides of `DEADLINES`; `noAuthenticator: Infinity` keeps trying until the signal ends it. */
  deadlines?: Partial<Deadlines>
  /** MHz where the network was met before: the radio looks there first, and everywhere only when it is not there. */
  frequencies?: readonly number[]
}

/**
 * Joins one network: installs the block where it is missing, selects it, and resolves when the port is open. Rejects
 * with a `SupplicantError` whose code says how it ended and whose `attempt` has the evidence for `triage`; the
 * interface is then disconnected. One join at a time: a second one waits for the first. Aborted while EAP is under way on a wire,
 * it lets that end, for a second at most, and may resolve all the same.
 */
export async function join(
  target: SupplicantInterface,
  block: NetworkBlock,
  options: JoinOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Joined> {
  signal.throwIfAborted()
  demand('join.deadlines', options.deadlines, optional(deadlines))
  demand('join.frequencies', options.frequencies, optional(frequencies))
  const before = queue.get(target)
  let done: () => void = () => undefined
  const turn = new Promise<void>(resolve => (done = resolve))
  queue.set(target, turn)
  try {
    await before
    const network = await target.install(block, options.blobs)
    await Promise.all([
      target.medium === 'wireless' ? target.forgetKeys(network) : undefined,
      lookWhereItWas(target, block, options.frequencies ?? [], signal),
    ])
    signal.throwIfAborted()
    const attempt = beginAttempt(usesEap(block), options.deadlines, passphraseOf(block), target.medium)
    return await attemptOn(target, network, attempt, options, signal)
  } catch (error) {
    throw await withOffers(target, block, error)
  } finally {
    if (queue.get(target) === turn) queue.delete(target)
    done()
  }
}

const deadlines = shape(
  Object.fromEntries(Object.keys(DEADLINES).map(name => [name, optional(milliseconds)])),
)

const queue = new WeakMap<SupplicantInterface, Promise<void>>()

/** Whether a join of this interface is under way: what it says meanwhile belongs to that. */
export const isJoining = (target: SupplicantInterface): boolean => queue.has(target)

/** The supplicant takes up what it has heard in the last seconds; only without that it scans all channels. */
async function lookWhereItWas(
  target: SupplicantInterface,
  { ssid, key_mgmt: management }: NetworkBlock,
  frequencies: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  if (frequencies.length === 0 || ssid === undefined || target.medium === 'wired') return
  const look = (...ssids: (string | Uint8Array)[]): Promise<Bss[]> =>
    scan(target, { frequencies, ssids, deadline: 3_000 }, signal).catch(() => [])
  const name = Buffer.from(ssid)
  const first = await look(ssid)
  // An answer gets lost now and then; asking once more costs a hundredth of asking everywhere.
  const heardNow = first.some(bss => bss.age <= 1 && name.equals(bss.ssid)) ? first : await look(ssid)
  // The encrypted one of two networks (OWE transition) is hidden: it answers to its own name alone, which the open one tells.
  const unheard = management === 'OWE' ? hiddenPartners(heardNow, name) : []
  if (unheard.length > 0) await look(...unheard)
}

function hiddenPartners(all: readonly Bss[], name: Buffer): Uint8Array[] {
  const partners = all.flatMap(({ ssid, partner }) => (name.equals(ssid) && partner ? [partner] : []))
  return partners.filter(partner => !all.some(({ ssid }) => Buffer.compare(ssid, partner) === 0))
}

function passphraseOf({ psk, sae_password: sae, key_mgmt: management }: NetworkBlock): Passphrase {
  if (psk === undefined && sae === undefined) return 'none'
  return management.split(' ').includes('SAE') ? 'sae' : 'psk'
}

/** What is not found may be in range and not fit: then triage needs to know what was offered meanwhile. */
async function withOffers(
  target: SupplicantInterface,
  { ssid }: NetworkBlock,
  error: unknown,
): Promise<unknown> {
  if (!isSupplicantError(error, 'not-found') || error.attempt === undefined || ssid === undefined)
    return error
  const name = Buffer.from(ssid)
  const { outcome } = error.attempt
  const all = await heard(target).catch(() => [])
  // The supplicant also keeps what went out of range before, which is no offer any more.
  const meanwhile = (outcome?.ms ?? 0) / 1_000
  const offers = all.filter(bss => bss.age <= meanwhile && name.equals(bss.ssid))
  return joinError(target.name, 'not-found', { ...error.attempt, offers })
}

async function attemptOn(
  target: SupplicantInterface,
  network: string,
  first: Attempt,
  options: JoinOptions,
  signal: AbortSignal,
): Promise<Joined> {
  const run = new Run(target, network, first, options)
  try {
    return await run.result(signal)
  } catch (error) {
    if (target.gone === undefined) await target.disconnect().catch(() => undefined)
    throw error
  } finally {
    run[Symbol.dispose]()
  }
}
