/** The command line of the device: `sonde run`, and what works without an agent. Prints; the agent itself only logs. */
import { runFleetCommand } from '../console/command.ts'
import { endWithOutput, processIo } from '../console/io.ts'
import { runStatusCommand } from '../console/status.ts'
import { AgentError } from './errors.ts'
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

/** Returns the exit code: 0 done, 1 failed, 2 the words are off, 78 (EX_CONFIG) the settings cannot be used. `run` starts the agent with a settings file. */
export async function runCommand(words: string[], run: (file: string) => Promise<number>): Promise<number> {
  const [command, ...rest] = words
  try {
    switch (command) {
      case 'run':
        if (rest.length > 1 || rest[0]?.startsWith('-')) return misused('run takes one settings file')
        return await run(rest[0] ?? defaultSettings)
      case 'scep':
        endWithOutput()
        return await runScepCommand(rest, io())
      case 'fleet':
        return await runFleetCommand(rest, processIo(untilInterrupted()))
      case 'status':
        return await runStatusCommand(
          rest,
          process.env['RUNTIME_DIRECTORY'] ?? '/run/sonde',
          processIo(untilInterrupted()),
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

/** Aborts at Ctrl-C. */
function untilInterrupted(): AbortSignal {
  const stop = new AbortController()
  process.once('SIGINT', () => {
    stop.abort(new DOMException('SIGINT', 'AbortError'))
  })
  return stop.signal
}

const io = (): Io => ({
  out: text => process.stdout.write(text),
  err: text => process.stderr.write(text),
  env: process.env,
  signal: untilInterrupted(),
})
