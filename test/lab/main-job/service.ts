/** What systemd is told, by the socket that it would give the agent (sd_notify(3)). */
import { join } from 'node:path'
import process from 'node:process'
import t from 'tap'
import type { Daemon } from '../daemon.ts'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { publish, tested } from './scene.ts'

/** Node has no datagram sockets of the Unix kind. */
const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(s.recv(4096).decode().replace('\\n', ' '), flush=True)`

async function listener(lab: Lab): Promise<{ socket: string; systemd: Daemon }> {
  const socket = join(lab.site.folder, 'notify')
  const systemd = await lab.site.daemon({
    name: 'systemd',
    role: 'sensor',
    command: 'python3',
    args: ['-c', program, socket],
    ready: /^bound$/,
  })
  return { socket, systemd }
}

t.test(
  'ready is said, and the watchdog fed: also while a supplicant hangs, which is no fault of the agent',
  async t => {
    await using lab = await raise(t)
    const { socket, systemd } = await listener(lab)
    const environment = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '2000000' }
    const sensor = await lab.sensor({ environment })
    await systemd.waitFor(/READY=1/, 'it is ready', 10_000)
    await publish(lab, await documents(lab))
    await tested(sensor)
    await systemd.waitFor(/WATCHDOG=1/, 'the watchdog is fed', 5_000)

    const { pid } = lab.supplicant
    if (pid === undefined) throw new Error('there is no supplicant')
    process.kill(pid, 'SIGSTOP')
    try {
      for (const time of ['first', 'second', 'third']) {
        const since = systemd.output.end
        await systemd.waitFor(/WATCHDOG=1/, `the watchdog is fed, the ${time} time`, 30_000, since)
      }
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    t.pass()
  },
)

t.test('an agent that hangs starves the watchdog', async t => {
  await using lab = await raise(t, { supplicant: true })
  const { socket, systemd } = await listener(lab)
  const sensor = await lab.sensor({ environment: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' } })
  await systemd.waitFor(/WATCHDOG=1/, 'the watchdog is fed', 10_000)
  const { pid } = sensor.process
  if (pid === undefined) throw new Error('there is no agent')
  process.kill(pid, 'SIGSTOP')
  const since = systemd.output.end
  await t.rejects(systemd.waitFor(/WATCHDOG=1/, 'nothing comes', 2_000, since))
  process.kill(pid, 'SIGCONT')
  await systemd.waitFor(/WATCHDOG=1/, 'the watchdog is fed again', 5_000, since)
})
