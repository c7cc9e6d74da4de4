/**
 * `sonde scep`: the SCEP client as a tool of its own, without an agent.
 *
 * Exit codes are those of certmonger's submission programs: 0 issued (or done), 5 pending, 2 rejected, 3 unreachable (or the
 * server is at fault: try again later), 4 misconfigured.
 */
import { ScepError } from '../scep/index.ts'
import { enroll, poll, renew } from './enroll.ts'
import { ca, caps, inspect } from './look.ts'
import { optionHelp, parseOptions, UsageError, type Options } from './options.ts'
import { exit, sayFailure, type Io } from './output.ts'
import { preflight } from './preflight.ts'

export type { Io } from './output.ts'

const commands: Record<string, { run: (options: Options, io: Io) => Promise<number>; usage: string }> = {
  caps: { run: caps, usage: 'caps URL                 what the server can do (GetCACaps)' },
  ca: {
    run: ca,
    usage: 'ca URL                   its certificates, and whether they are trusted (GetCACert)',
  },
  preflight: { run: preflight, usage: 'preflight URL            check everything but the password' },
  enroll: { run: enroll, usage: 'enroll URL --cn NAME     obtain a certificate (PKCSReq)' },
  renew: { run: renew, usage: 'renew URL                renew the one in --from, with a new key' },
  poll: {
    run: poll,
    usage: 'poll                     ask for the outcome of the request in --from (CertPoll)',
  },
  inspect: { run: inspect, usage: 'inspect FILE             decode a message, request, certificate or bag' },
}

const usage = (): string =>
  `Usage: sonde scep COMMAND [OPTIONS]\n\n${Object.values(commands)
    .map(each => `  ${each.usage}`)
    .join(
      '\n',
    )}\n\nOptions\n${optionHelp()}\n\nExit codes: 0 issued or done, 2 rejected, 3 unreachable, 4 misconfigured, 5 pending\n`

/** Runs the words after `sonde scep`; the result is the exit code. Throws only what is a defect, or the abort of `io.signal`. */
export async function runScepCommand(argv: string[], io: Io): Promise<number> {
  const [name = '', ...rest] = argv
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(usage())
    return 0
  }
  const json = rest.includes('--json')
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command && json) return misused(`there is no command "${name}"`, io)
  if (!command) {
    io.err(
      `${
        name === ''
          ? ''
          : `There is no command "${name}".

`
      }${usage()}`,
    )
    return exit.misconfigured
  }
  try {
    const options = parseOptions(rest)
    if (options.flag('help')) {
      io.out(usage())
      return 0
    }
    return await command.run(options, io)
  } catch (error) {
    if (error instanceof UsageError && json) return misused(error.message, io)
    if (error instanceof UsageError) {
      io.err(`${error.message}\n`)
      return exit.misconfigured
    }
    if (!(error instanceof ScepError)) throw error
    return sayFailure(error, json, io)
  }
}

/** With --json everything is one document, also what cannot be done. */
function misused(detail: string, io: Io): number {
  const problem = {
    code: 'usage',
    kind: 'misconfigured',
    title: 'The command cannot be carried out',
    detail,
    hint: 'Correct the option that the detail names; sonde scep --help lists them all',
  }
  io.out(`${JSON.stringify({ outcome: 'failed', ...problem })}\n`)
  return exit.misconfigured
}
