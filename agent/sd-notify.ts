/** What systemd is told (sd_notify(3)); nothing at all outside of a unit with Type=notify. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Node has no datagram Unix sockets, so systemd-notify says it for us: 10 ms, hence not more often than needed. */
export async function tellSystemd(...states: string[]): Promise<void> {
  if (!process.env['NOTIFY_SOCKET']) return
  await run('systemd-notify', states).catch((error: unknown) => {
    process.stderr.write(`systemd-notify: ${String(error)}\n`)
  })
}

/** Half of WatchdogSec in milliseconds; undefined without a watchdog. */
function watchdogPeriod(environment: NodeJS.ProcessEnv): number | undefined {
  const microseconds = Number(environment['WATCHDOG_USEC'])
  return microseconds > 0 ? microseconds / 2000 : undefined
}

/** Feeds the watchdog as long as `alive` says so: a loop that is stuck starves it. Nothing without a watchdog. */
export function feedWatchdog(alive: () => Promise<boolean>): Disposable {
  const period = watchdogPeriod(process.env)
  if (period === undefined) return { [Symbol.dispose]: () => undefined }
  const timer = setInterval(() => {
    void alive().then(well => (well ? tellSystemd('WATCHDOG=1') : undefined))
  }, period)
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer)
    },
  }
}
