/** The command line of the device: `sonde run`, and what works without an agent. Prints; the agent itself only logs. */
import { addAbortSignal } from 'node:stream'
import { buffer as consumed } from 'node:stream/consumers'
import { runFleetCommand } from '../console/command.ts'
import { endWithOutput, processIo } from '../console/io.ts'
import { runStatusCommand } from '../console/status.ts'
import { AgentError, isAbortError } from './errors.ts'
import { runScepCommand, type Io } from './scep-cli/command.ts'
import { version } from './version.ts'

const usage = `sonde ${version}

  sonde run [SETTINGS]      the agent (default settings: /etc/sonde/sonde.json)
  sonde scep COMMAND …      the SCEP client by hand: caps, ca, preflight, enroll, renew, poll, inspect
  sonde fleet COMMAND …     the operator's side, over MQTT
  sonde status              what this sensor reports, without a broker
  sonde version

sonde scep --help and sonde fleet --help say more.
`

const defaultSettings = '/etc/sonde/sonde.json'

/**
 * Returns the exit code: 0 done, 1 failed, 2 the words are off, 78 (EX_CONFIG) the settings cannot be used, 130 interrupted at Ctrl-C.
 * `run` starts the agent with a settings file.
 */
export async function runCommand(words: string[], run: (file: string) => Promise<number>): Promise<number> {
  const [command, ...rest] = words
  const interruption = new AbortController()
  try {
    switch (command) {
      case 'run':
        if (rest.length > 1 || rest[0]?.startsWith('-')) return misused('run takes one settings file')
        return await run(rest[0] ?? defaultSettings)
      case 'scep':
        endWithOutput()
        return await runScepCommand(rest, io(interruptible(interruption)))
      case 'fleet':
        return await runFleetCommand(rest, processIo(interruptible(interruption)))
      case 'status':
        return await runStatusCommand(
          rest,
          process.env['RUNTIME_DIRECTORY'] ?? '/run/sonde',
          processIo(interruptible(interruption)),
        )
      case 'version':
        process.stdout.write(`${version}\n`)
        return 0
      case undefined:
      case 'help':
      case '--help':
        process.stdout.write(usage)
        return command === undefined ? 2 : 0
      default:
        return misused(`there is no command ${JSON.stringify(command)}`)
    }
  } catch (error) {
    if (interruption.signal.aborted && isAbortError(error)) return interrupted
    if (!(error instanceof AgentError)) throw error
    const { title, detail, hint } = error.finding
    process.stderr.write(`sonde: ${title}: ${detail}\n  ${hint}\n`)
    return error.finding.code === 'settings-invalid' ? 78 : 1
  }
}

function misused(why: string): number {
  process.stderr.write(`sonde: ${why}\n\n${usage}`)
  return 2
}

/** As a shell counts what SIGINT has ended. */
const interrupted = 130

/** A command that a person runs: Ctrl-C aborts it. A standard error that nobody reads any more is no reason to leave a request half done. */
function interruptible(interruption: AbortController): AbortSignal {
  process.once('SIGINT', () => {
    interruption.abort(new DOMException('SIGINT', 'AbortError'))
  })
  process.stderr.on('error', () => undefined)
  return interruption.signal
}

const io = (signal: AbortSignal): Io => ({
  out: text => process.stdout.write(text),
  err: text => process.stderr.write(text),
  input: () => consumed(addAbortSignal(signal, process.stdin)),
  env: process.env,
  signal,
})
