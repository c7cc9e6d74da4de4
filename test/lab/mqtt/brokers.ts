/** The brokers that everything is tested on, side by side: each has a port and a folder of its own. */
import { existsSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import { lasting, mosquitto, nats, type Broker } from './broker.ts'

const brokers: [string, 5 | 4, () => Promise<Broker>][] = [
  ['mosquitto over MQTT 5', 5, () => mosquitto(lasting)],
  ['mosquitto over MQTT 3.1.1', 4, () => mosquitto(lasting)],
  ['nats-server over MQTT 3.1.1', 4, () => nats()],
]

/** @param protocol what the sensor speaks */
export function onEveryBroker(
  name: string,
  scene: (t: Test, broker: Broker, protocol: 5 | 4) => Promise<void>,
): void {
  void t.test(name, { timeout: 120_000 }, async t => {
    t.jobs = brokers.length
    const scenes = brokers.map(([title, protocol, start]) =>
      t.test(title, async t => {
        t.jobs = 1
        await using broker = await start()
        await scene(t, broker, protocol)
      }),
    )
    await Promise.all(scenes)
  })
}

/** What a broker keeps on disk; it must be stopped. */
const kept = ({ directory }: Broker): string[] => ['mosquitto.db', 'js'].map(name => join(directory, name))

/** The broker lost its database. */
export async function wipe(broker: Broker): Promise<void> {
  for (const path of kept(broker)) await rm(path, { recursive: true, force: true })
}

/** A backup of its database; call what it returns to restore it. */
export async function save(broker: Broker): Promise<() => Promise<void>> {
  const backup = join(broker.directory, 'backup')
  const copy = (from: string, to: string) => cp(from, to, { recursive: true, force: true })
  for (const path of kept(broker)) if (existsSync(path)) await copy(path, join(backup, basename(path)))
  return async () => {
    await wipe(broker)
    await copy(backup, broker.directory)
  }
}
