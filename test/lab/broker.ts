import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import type { Site } from './site.ts'
import { addresses } from './topology.ts'

/** mosquitto. It keeps what is retained and queued over kill() and start(). */
export type Broker = {
  daemon: Daemon
  /** For the sensor, over management or a segment. */
  url: string
  /** For this process, which is outside the namespaces: a Unix socket crosses them. */
  socket: string
  stop(): Promise<void>
  start(): Promise<void>
}

export type BrokerOptions = {
  /** Saves after every change, so that nothing is lost with kill(); otherwise as Debian sets it up, every half hour. */
  saveAtOnce: boolean
}

/** max_queued_messages 0: with the default a QoS 1 subscriber loses everything beyond a thousand. */
export async function broker(site: Site, { saveAtOnce }: BrokerOptions): Promise<Broker> {
  const folder = join(site.folder, 'mosquitto')
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'mosquitto.conf')
  const socket = join(folder, 'mqtt')
  await writeFile(
    file,
    `user root
listener 1883 ${addresses.broker}
listener 1883 127.0.0.1
listener 0 ${socket}
allow_anonymous true
persistence true
persistence_location ${folder}/
${saveAtOnce ? 'autosave_on_changes true\nautosave_interval 1' : ''}
max_queued_messages 0
log_dest stderr
log_type all
`,
  )
  const process = await site.daemon({
    name: 'mosquitto',
    role: 'backend',
    command: 'mosquitto',
    args: ['-c', file],
    ready: /mosquitto version \S+ running/,
  })
  return {
    daemon: process,
    url: `mqtt://${addresses.broker}:1883`,
    socket,
    stop: () => process.stop(),
    start: () => process.start(),
  }
}
