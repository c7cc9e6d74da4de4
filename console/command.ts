/** `sonde fleet`: the operator's command line over MQTT. */
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { nearest } from '../agent/desired/problems.ts'
import { prefixPattern } from '../agent/desired/topics.ts'
import { Broker } from './broker.ts'
import { acl, sensor } from './commands/access.ts'
import { assign, unassign } from './commands/assignments.ts'
import { certificates, list, problems, show, triage } from './commands/look.ts'
import { network } from './commands/networks.ts'
import { send } from './commands/send.ts'
import { exportFleet, importFleet } from './commands/transfer.ts'
import { watch } from './commands/watch.ts'
import { text, type Run, type Values } from './context.ts'
import { exitCodes, Failure, interrupted, usage } from './failure.ts'
import { fields, flags } from './fields.ts'
import type { Io } from './io.ts'
import type { BrokerOptions } from './login.ts'
import { printable } from './table.ts'

interface Entry {
  run: Run
  synopsis: string
  about: string
  /** Words it takes after its name, at most; undefined: any number. */
  most?: number
  /** Flags of its own. */
  flags?: readonly string[]
}

const commands: Record<string, Entry> = {
  list: { run: list, synopsis: 'list', about: 'every sensor in a line', most: 0 },
  show: { run: show, synopsis: 'show SENSOR', about: 'one sensor: about, networks, problems', most: 1 },
  watch: { run: watch, synopsis: 'watch [SENSOR]', about: 'events as they come, until interrupted', most: 1 },
  problems: {
    run: problems,
    synopsis: 'problems [--check]',
    about: 'everything that is wrong; --check: exit code 1 if anything but warnings is',
    most: 0,
    flags: ['check'],
  },
  certificates: {
    run: certificates,
    synopsis: 'certificates [--mappings]',
    about: 'the soonest to expire first; --mappings: names for Active Directory',
    most: 0,
    flags: ['mappings'],
  },
  triage: {
    run: triage,
    synopsis: 'triage SENSOR [NETWORK]',
    about: 'what the supplicant and the servers said',
    most: 2,
  },
  network: {
    run: network,
    synopsis: 'network add|edit|remove|list|show [NETWORK]',
    about: 'profiles, by flags, --file FILE, --edit or questions',
    most: 2,
    flags: [...Object.keys(flags), 'file', 'edit', 'secrets'],
  },
  assign: {
    run: assign,
    synopsis: 'assign SENSOR NETWORK…',
    about: 'let it test networks; --name, --test-every SECONDS, --target, --new-epoch',
    flags: ['sensors', 'name', 'test-every', 'target', 'new-epoch'],
  },
  unassign: {
    run: unassign,
    synopsis: 'unassign SENSOR NETWORK…',
    about: 'and no longer',
    flags: ['sensors'],
  },
  command: {
    run: send,
    synopsis: 'command SENSOR COMMAND [NETWORK]',
    about: 'do something now',
    most: 3,
    flags: ['sensors', 'id'],
  },
  sensor: {
    run: sensor,
    synopsis: 'sensor add|remove SENSOR…',
    about: 'let it connect to the broker; a new password',
  },
  acl: {
    run: acl,
    synopsis: 'acl [OPERATOR…]',
    about: 'an acl_file for a broker without the dynamic-security plugin',
  },
  export: {
    run: exportFleet,
    synopsis: 'export [--secrets]',
    about: 'all documents',
    most: 0,
    flags: ['secrets'],
  },
  import: { run: importFleet, synopsis: 'import FILE', about: 'publish exported documents', most: 1 },
}

/** Flags that every command takes. */
const everywhere: NonNullable<ParseArgsConfig['options']> = {
  broker: { type: 'string' },
  user: { type: 'string' },
  ca: { type: 'string' },
  certificate: { type: 'string' },
  'certificate-key': { type: 'string' },
  prefix: { type: 'string' },
  wait: { type: 'string' },
  json: { type: 'boolean' },
  insecure: { type: 'boolean' },
  force: { type: 'boolean' },
  'no-rights': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
}

const options: NonNullable<ParseArgsConfig['options']> = {
  ...everywhere,
  ...flags,
  check: { type: 'boolean' },
  mappings: { type: 'boolean' },
  secrets: { type: 'boolean' },
  edit: { type: 'boolean' },
  file: { type: 'string' },
  id: { type: 'string' },
  sensors: { type: 'string' },
  name: { type: 'string' },
  'test-every': { type: 'string' },
  target: { type: 'string', multiple: true },
  'new-epoch': { type: 'boolean' },
}

/** What a command does not take would be passed over, and a person believe that it was heard. */
function mustTake(
  name: string,
  { synopsis, most, flags: own = [] }: Entry,
  words: string[],
  values: Values,
): void {
  const odd = Object.keys(values).find(flag => !(flag in everywhere) && !own.includes(flag))
  const others = Object.keys(commands).filter(other => commands[other]?.flags?.includes(odd ?? ''))
  if (odd !== undefined) throw usage(`${name} takes no --${odd}`, `it belongs to ${others.join(', ')}`)
  const over = words[most ?? words.length]
  if (over !== undefined) throw usage(`${name} does not take ${over}`, `sonde fleet ${synopsis}`)
}

/** Exit code: 0 done, 1 not done or not everywhere, 2 the words are off, 3 the broker is not reached or lost, 130 interrupted. */
export async function runFleetCommand(argv: readonly string[], io: Io): Promise<number> {
  try {
    const { words, values } = parse(argv)
    const [name, ...rest] = words
    if (values['help'] === true || name === undefined) {
      io.out(help())
      return name === undefined && values['help'] !== true ? exitCodes.usage : exitCodes.done
    }
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (entry === undefined)
      throw usage(`there is no command ${name}`, suggestion(name, Object.keys(commands)))
    mustTake(name, entry, rest, values)
    const wait = waitOf(values)
    await using broker = await Broker.connect(brokerOptions(values, io), io.signal)
    const stop = new AbortController()
    const context = { broker, words: rest, values, json: values['json'] === true, wait }
    const over = ended(broker, io.signal, stop)
    // A command may find its words off before it has begun; `over` must not be left alone then.
    const running = (async () => entry.run({ io: { ...io, signal: stop.signal }, ...context }))()
    return (await Promise.race([over, running])) ?? exitCodes.done
  } catch (cause) {
    const error =
      io.signal.aborted && cause instanceof Error && cause.name === 'AbortError' ? interrupted() : cause
    if (!(error instanceof Failure)) throw error
    // Names in it may come from a report.
    const message = error.message.split('\n').map(printable).join('\n')
    io.err(`sonde fleet: ${message}\n${error.hint === undefined ? '' : `  ${printable(error.hint)}\n`}`)
    return error.exit
  }
}

/** Rejects, and stops what runs, when there is no broker any more or a person has interrupted: then a moment later, for what ends by itself. */
function ended(broker: Broker, signal: AbortSignal, stop: AbortController): Promise<never> {
  return new Promise((_, reject) => {
    void broker.lost.then(failure => {
      reject(failure)
      stop.abort()
    })
    const abort = (): void => {
      stop.abort()
      setTimeout(() => reject(interrupted()), 500).unref()
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

function parse(argv: readonly string[]): { words: string[]; values: Values } {
  try {
    const { positionals, values } = parseArgs({ args: [...argv], options, allowPositionals: true })
    return { words: positionals, values: values as Values }
  } catch (cause) {
    const flag = /'--?([\w-]+)/.exec(cause instanceof Error ? cause.message : '')?.[1]
    if (flag === undefined || flag in options)
      throw usage(`the flags cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
    throw usage(`there is no flag --${flag}`, suggestion(flag, Object.keys(options), '--'))
  }
}

/** Milliseconds. */
function waitOf(values: Values): number {
  const given = text(values, 'wait')
  const seconds = given === '' ? NaN : Number(given ?? 30)
  if (seconds >= 0 && seconds <= mostWait) return seconds * 1000
  throw usage(`--wait ${given ?? ''}: not a number of seconds, 0 to ${String(mostWait)}`)
}

/** A week: a timer counts to 24 days. */
const mostWait = 604_800

function suggestion(word: string, known: string[], before = ''): string | undefined {
  const near = nearest(word, known)
  return near === undefined ? 'sonde fleet --help' : `did you mean ${before}${near}?`
}

function brokerOptions(values: Values, { environment }: Io): BrokerOptions {
  const set = (variable: string): string | undefined =>
    environment[variable] === '' ? undefined : environment[variable]
  const of = (flag: string, variable: string): string | undefined => text(values, flag) ?? set(variable)
  const url = of('broker', 'SONDE_BROKER') ?? 'mqtt://localhost'
  // A password may stand in it.
  const shown = url.replace(/\/\/.*@/, '//…@')
  if (!/^mqtts?:\/\/[^/]+\/?$/.test(url) || !URL.canParse(url))
    throw usage(`--broker ${shown}: not mqtt:// or mqtts:// and a host`)
  const prefix = of('prefix', 'SONDE_PREFIX') ?? 'sonde'
  if (!prefixPattern.test(prefix))
    throw usage(`--prefix ${prefix}: not a topic: A-Z a-z 0-9 _ - between single slashes`)
  return {
    url,
    username: of('user', 'SONDE_BROKER_USER'),
    password: environment['SONDE_BROKER_PASSWORD'],
    ca: of('ca', 'SONDE_BROKER_CA'),
    certificate: text(values, 'certificate'),
    key: text(values, 'certificate-key'),
    prefix,
    insecure: values['insecure'] === true,
    timeout: 10_000,
  }
}

function help(): string {
  const width = Math.max(...Object.values(commands).map(({ synopsis }) => synopsis.length))
  const lines = Object.values(commands).map(({ synopsis, about }) => `  ${synopsis.padEnd(width)}  ${about}`)
  const profile = fields.map(({ flag, choices }) => `--${flag}${choices ? ` ${choices.join('|')}` : ''}`)
  return `sonde fleet COMMAND

${lines.join('\n')}

The broker: --broker mqtts://HOST[:PORT] (or SONDE_BROKER), --user (SONDE_BROKER_USER), SONDE_BROKER_PASSWORD, --ca,
  --certificate and --certificate-key, --prefix. Secrets are published over TLS or to this machine alone, unless --insecure.
Many sensors: assign, unassign and command take --sensors A,B in place of SENSOR; --sensors 'lobby-*' and '*' are those that are known.
Everywhere: --json, --wait SECONDS for sensors to answer (30; 0: do not wait), --force. --no-rights leaves the broker's rights alone;
  command --id ID repeats one; network show --secrets.
Targets of tests: assign --target ping:HOST, dns:NAME, tcp:HOST:PORT or a URL, as often as there are; --target '' takes them out,
  as --name '' and --test-every '' do theirs.
Profiles: ${wrap(profile, 108)}
  an empty value takes a field out; a secret can also come from a file: --challenge-password-file, --password-file, --passphrase-file
Exit code: 0 done, 1 not done or not everywhere, 2 the words are off, 3 the broker is not reached or lost, 130 interrupted.
`
}

function wrap(words: readonly string[], width: number): string {
  let line = ''
  const lines: string[] = []
  for (const word of words) {
    if (line.length + word.length > width) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : `  ${word}`
  }
  return [...lines, line].join('\n  ')
}
