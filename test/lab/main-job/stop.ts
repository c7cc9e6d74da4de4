/** A clean stop takes back everything, and what is others' stays. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import t from 'tap'
import { run } from '../command.ts'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { publish, tested } from './scene.ts'

const service = 'fi.w1.wpa_supplicant1'

/** The supplicant as another program on the bus sees it. */
class Elsewhere {
  readonly #lab: Lab
  constructor(lab: Lab) {
    this.#lab = lab
  }

  async call(path: string, member: string, ...args: string[]): Promise<string> {
    return this.#busctl('call', service, path, ...split(member), ...args)
  }

  async property(path: string, member: string): Promise<string> {
    return this.#busctl('get-property', service, path, ...split(member))
  }

  async set(path: string, member: string, ...value: string[]): Promise<void> {
    await this.#busctl('set-property', service, path, ...split(member), ...value)
  }

  async #busctl(...args: string[]): Promise<string> {
    return (await run('busctl', [`--address=${this.#lab.bus.address}`, ...args])).trim()
  }
}

const split = (member: string): [string, string] => {
  const dot = member.lastIndexOf('.')
  return [service + member.slice(0, Math.max(dot, 0)), member.slice(dot + 1)]
}

const pathIn = (answer: string): string => /"([^"]+)"/.exec(answer)?.[1] ?? ''

/** IPv4 addresses of eth0, rules and routes of all tables, without what the kernel counts. */
async function kernel(lab: Lab): Promise<string> {
  const read = ['addr show dev eth0', 'rule show', 'route show table all'].map(async words => {
    const text = await lab.exec('sensor', 'ip', ['-4', '-o', ...words.split(' ')])
    return text.replaceAll(/valid_lft \S+ preferred_lft \S+/g, '')
  })
  return (await Promise.all(read)).join('---\n')
}

t.test(
  'SIGTERM: offline is said, the lease given back, the port closed, nothing of ours is left and foreign blocks are enabled again',
  async t => {
    await using lab = await raise(t)
    const elsewhere = new Elsewhere(lab)
    const eth0 = ['a{sv}', '2', 'Ifname', 's', 'eth0', 'Driver', 's', 'wired']
    const port = pathIn(await elsewhere.call('/fi/w1/wpa_supplicant1', '.CreateInterface', ...eth0))
    const block = ['a{sv}', '2', 'key_mgmt', 's', 'NONE', 'id_str', 's', 'somebody-else']
    const foreign = pathIn(await elsewhere.call(port, '.Interface.AddNetwork', ...block))
    const asleep = pathIn(await elsewhere.call(port, '.Interface.AddNetwork', ...block))
    await elsewhere.set(foreign, '.Network.Enabled', 'b', 'true')
    await elsewhere.set(asleep, '.Network.Enabled', 'b', 'false')
    const enabled = (): Promise<string> => elsewhere.property(foreign, '.Network.Enabled')
    const before = await kernel(lab)

    const sensor = await lab.sensor()
    await publish(lab, await documents(lab))
    await tested(sensor)
    t.not(await kernel(lab), before)
    t.equal(await enabled(), 'b false', 'SelectNetwork has disabled the foreign block')
    const [closings, messages] = [lab.switch.events.end, lab.operator.messages.end]

    await sensor.stop()
    t.match(sensor.process.output.tail(1), /\[ended: exit code 0\]/)
    await sensor.heard('presence', ({ state }) => state === 'offline', 'it says offline', 2_000, messages)
    await lab.dhcp('tested').waitFor(/DHCPRELEASE/, 'the lease is given back', 2_000)
    await lab.switch.closed(2_000, closings)
    t.match(
      await elsewhere.property(port, '.Interface.Networks'),
      `ao 2 "${foreign}" "${asleep}"`,
      'only the foreign blocks are left',
    )
    t.equal(await enabled(), 'b true', 'one is enabled again')
    t.equal(await elsewhere.property(asleep, '.Network.Enabled'), 'b false', 'and one as disabled as it was')
    t.match(await elsewhere.property(port, '.Interface.Blobs'), /^a\{say\} 0$/, 'no blob is left')
    t.equal(await kernel(lab), before, 'addresses, rules and routes are as they were')
  },
)

/** A message bus that takes connections and never says a word. */
async function mutedBus(lab: Lab): Promise<{ path: string } & AsyncDisposable> {
  const path = join(lab.site.folder, 'muted-bus')
  const server = createServer(socket => socket.on('error', () => undefined))
  server.listen(path)
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket))
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

t.test('SIGTERM is a clean stop within 4 s also where the bus or the supplicant does not answer', async t => {
  await using lab = await raise(t)
  await using bus = await mutedBus(lab)
  const starting = await lab.sensor({ id: 'starting', settings: { bus: `unix:path=${bus.path}` } })
  await starting.process.waitFor(/agent started/, 'it is about to look for the supplicant', 5_000)
  await starting.stop()
  t.match(starting.process.output.tail(1), /\[ended: exit code 0\]/, 'while it starts')

  const before = await kernel(lab)
  const sensor = await lab.sensor()
  await publish(lab, await documents(lab))
  await tested(sensor)
  const { pid } = lab.supplicant
  if (pid === undefined) throw new Error('there is no supplicant')
  process.kill(pid, 'SIGSTOP')
  try {
    await sensor.stop()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  t.match(sensor.process.output.tail(1), /\[ended: exit code 0\]/, 'while the supplicant hangs')
  t.equal(await kernel(lab), before, 'addresses, rules and routes are as they were')
})
