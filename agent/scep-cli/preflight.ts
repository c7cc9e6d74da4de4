/** `preflight`: everything that can be checked without spending the challenge password. */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect as connectTcp, isIP } from 'node:net'
import {
  advertises,
  algorithmsFor,
  algorithmWarnings,
  describeCertificate,
  establishTrust,
  getCaCaps,
  getCaCertificates,
  parseServerUrl,
  ScepError,
  type Capabilities,
  type Trust,
} from '../scep/index.ts'
import { keySource } from './folder.ts'
import { numberOf, settingsOf, sourceOf, type Options } from './options.ts'
import { exit, exitCodes, type Io } from './output.ts'
import { within } from '../within.ts'
import { connect, serverOf, trustSettingsOf } from './session.ts'

export interface Check {
  check: 'dns' | 'tcp' | 'caps' | 'ca' | 'chain' | 'fingerprint' | 'algorithms' | 'key' | 'clock'
  state: 'ok' | 'warn' | 'fail'
  text: string
  hint?: string
}

/** Runs every check that the ones before it leave possible. */
export async function preflight(options: Options, io: Io): Promise<number> {
  const checks: Check[] = []
  const add = (check: Check): void => {
    checks.push(check)
    if (!options.flag('json'))
      io.out(
        `${{ ok: '✓', warn: '!', fail: '✗' }[check.state]} ${check.check.padEnd(12)} ${check.text}\n${check.hint === undefined ? '' : `               ${check.hint}\n`}`,
      )
  }
  const code = await run(options, io, add)
  if (options.flag('json'))
    io.out(
      `${JSON.stringify({ checks, outcome: checks.some(each => each.state === 'fail') ? 'fail' : 'ok' })}\n`,
    )
  return code
}

async function run(options: Options, io: Io, add: (check: Check) => void): Promise<number> {
  const server = serverOf(options)
  const settings = settingsOf(options)
  const trustSettings = await trustSettingsOf(options)
  const { kind } = await keySource(options.text('key') ?? 'rsa-2048')
  if (!(await reach(parseServerUrl(server.url), options, io, add))) return exit.unreachable
  const quiet = { ...io, err: options.flag('verbose') ? io.err : () => undefined }
  using transport = connect(server, options, quiet, trustSettings.roots)
  try {
    const [caps, reply] = await Promise.all([
      getCaCaps(transport, io.signal),
      getCaCertificates(transport, io.signal),
    ])
    add(capsCheck(caps))
    add({
      check: 'ca',
      state: 'ok',
      text: reply.certificates.map(each => describeCertificate(each).subject).join('; '),
    })
    const now = new Date()
    add(clockCheck(reply.date ?? caps.date, now))
    judge(establishTrust(reply, trustSettings, now), add)
    const { encryption, digest } = algorithmsFor(caps, settings)
    const doubts = algorithmWarnings(caps, encryption, digest)
    add({
      check: 'algorithms',
      state: doubts.length > 0 ? 'warn' : 'ok',
      text: doubts.map(each => each.text).join('; ') || `${encryption}, ${digest}, ${settings.keyTransport}`,
    })
    add(keyCheck(kind))
    return 0
  } catch (error) {
    if (!(error instanceof ScepError)) throw error
    const { title, detail, hint, serverText } = error.problem
    add({
      check: checkOf(error),
      state: 'fail',
      text: [`${title}: ${detail}`, serverText].filter(Boolean).join(': '),
      hint,
    })
    return exitCodes[error.kind]
  }
}

const checkOf = ({ code }: ScepError): Check['check'] =>
  code.startsWith('fingerprint')
    ? 'fingerprint'
    : code === 'ca-untrusted' ||
        code === 'ca-changed' ||
        code === 'ca-expired' ||
        code === 'recipient-missing'
      ? 'chain'
      : 'ca'

/** Whether the host has an address, and one of its addresses takes connections. */
async function reach(
  url: URL,
  options: Options,
  { signal }: Io,
  add: (check: Check) => void,
): Promise<boolean> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) === 0)
    try {
      const addresses = await lookup(host, { all: true })
      add({ check: 'dns', state: 'ok', text: `${host} is ${addresses.map(each => each.address).join(', ')}` })
    } catch (error) {
      add({
        check: 'dns',
        state: 'fail',
        text: `${host} cannot be resolved: ${error instanceof Error ? error.message : String(error)}`,
        hint: 'Check the host name and the name servers of this network',
      })
      return false
    }
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  const localAddress = sourceOf(options)
  using whole = within(Math.min(numberOf(options, 'timeout', 30) * 1000, 10_000), signal)
  const bound = localAddress === undefined ? {} : { localAddress }
  const socket = connectTcp({ host, port, signal: whole.signal, ...bound })
  try {
    await once(socket, 'connect')
    add({ check: 'tcp', state: 'ok', text: `port ${String(port)} is open` })
    return true
  } catch (error) {
    signal.throwIfAborted()
    const hint = 'Check that the server runs, and routing and firewall'
    const text = whole.signal.aborted ? 'no answer' : reasonOf(error)
    add({ check: 'tcp', state: 'fail', text, hint })
    return false
  } finally {
    socket.destroy()
  }
}

/** Where a name has several addresses, each has its own reason. */
const reasonOf = (error: unknown): string =>
  error instanceof AggregateError
    ? error.errors.map(reasonOf).join('; ')
    : error instanceof Error
      ? error.message
      : String(error)

function capsCheck(caps: Capabilities): Check {
  if (!caps.answered)
    return {
      check: 'caps',
      state: 'warn',
      text: 'the server advertises nothing',
      hint: 'Messages go by GET then, which IIS limits to 2048 characters',
    }
  const weak = !advertises(caps, 'AES') || !advertises(caps, 'SHA-256')
  return { check: 'caps', state: weak ? 'warn' : 'ok', text: caps.keywords.join(' ') }
}

/** Certificates are judged to the second, but a minute is nothing to anybody. */
function clockCheck(server: Date | undefined, now: Date): Check {
  if (!server) return { check: 'clock', state: 'warn', text: 'the server does not tell its time' }
  const seconds = Math.round((server.getTime() - now.getTime()) / 1000)
  const text = `the server's clock is ${String(Math.abs(seconds))} s ${seconds < 0 ? 'behind' : 'ahead'}`
  return Math.abs(seconds) <= 60
    ? { check: 'clock', state: 'ok', text }
    : {
        check: 'clock',
        state: 'warn',
        text,
        hint: 'Set both clocks by NTP: a certificate may look not yet valid',
      }
}

function judge(trust: Trust, add: (check: Check) => void): void {
  const doubts = trust.warnings.map(each => each.text)
  const path = trust.chain.map(each => describeCertificate(each).subject).join(' ← ')
  add({
    check: 'chain',
    state: doubts.length > 0 ? 'warn' : 'ok',
    text: [`${path} (${trust.basis})`, ...doubts].join('; '),
  })
  if (trust.basis === 'fingerprint') add({ check: 'fingerprint', state: 'ok', text: 'it names one of them' })
  else if (trust.pin !== null)
    add({
      check: 'fingerprint',
      state: 'warn',
      text: `none is set; SHA-256 of the root is ${trust.pin}`,
      hint: 'Compare it with the CA administrator and set it',
    })
}

function keyCheck(kind: string): Check {
  const bits = Number(/^rsa-(\d+)$/.exec(kind)?.[1])
  if (bits < 2048)
    return { check: 'key', state: 'warn', text: `${kind} is refused by most CAs and by OpenSSL` }
  if (kind.startsWith('ec'))
    return { check: 'key', state: 'warn', text: `${kind}: not every CA issues EC certificates by SCEP` }
  return { check: 'key', state: 'ok', text: kind }
}
