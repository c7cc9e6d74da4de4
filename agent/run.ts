/** `sonde run`: the signals around the agent, and how its start may fail. */
import { listenToCheckpoints } from './checkpoint.ts'
import { readSettings, type Settings } from './config.ts'
import { asAgentError } from './effects/index.ts'
import { isAbortError } from './errors.ts'

type Agent = (settings: Settings, stop: AbortSignal, restart: () => void) => Promise<void>

/** Returns the exit code: 0 stopped, also while it was still starting; 75 (EX_TEMPFAIL) start me again. Rejects with an AgentError. */
export const runnerOf =
  (agent: Agent) =>
  async (file: string): Promise<number> => {
    listenToCheckpoints(process.env)
    const stop = new AbortController()
    let code = 0
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        stop.abort(new DOMException(signal, 'AbortError'))
      })
    const settings = await readSettings(file, process.env)
    // Where systemd has not named one; the DHCP client's scripts go there too.
    process.env['RUNTIME_DIRECTORY'] ??= settings.runtimeDirectory
    try {
      await agent(settings, stop.signal, () => {
        code = 75
        // After the reply has been handed over.
        setImmediate(() => {
          stop.abort(new DOMException('restart', 'AbortError'))
        })
      })
    } catch (error) {
      if (!stop.signal.aborted || !isAbortError(error)) throw asAgentError(error)
    }
    return code
  }
