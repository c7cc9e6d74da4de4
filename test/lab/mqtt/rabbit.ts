/** A real RabbitMQ with its MQTT plugin (3.1.1 alone), with an epmd of its own: nothing is left behind. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { daemon, type Broker } from './broker.ts'

const command = '/usr/lib/rabbitmq/bin/rabbitmq-server'

/** Why a test on RabbitMQ is skipped; false where it is installed. */
export const rabbitIsMissing = (): string | false =>
  !existsSync(command) && `${command} is not installed (Debian package rabbitmq-server)`

export async function rabbit(): Promise<Broker> {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-rabbit-'))
  const [mqtt, amqp, distribution, names] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  await writeFile(join(directory, 'plugins'), '[rabbitmq_mqtt].\n')
  await writeFile(
    join(directory, 'rabbit.conf'),
    `listeners.tcp.default = 127.0.0.1:${amqp}
mqtt.listeners.tcp.default = 127.0.0.1:${mqtt}
mqtt.allow_anonymous = true
mqtt.default_user = guest
mqtt.default_pass = guest
`,
  )
  const environment = {
    PATH: process.env['PATH'],
    HOME: directory,
    ERL_EPMD_PORT: String(names),
    RABBITMQ_NODENAME: `sonde${mqtt}@localhost`,
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbit.conf'),
    RABBITMQ_PID_FILE: join(directory, 'pid'),
  }
  const epmd = spawn('epmd', ['-port', String(names)], { stdio: 'ignore' })
  const end = async (): Promise<void> => {
    epmd.kill('SIGKILL')
    if (epmd.exitCode === null && epmd.signalCode === null) await once(epmd, 'exit')
  }
  try {
    const broker = await daemon(command, [], /Server startup complete/, directory, mqtt, environment)
    return {
      ...broker,
      [Symbol.asyncDispose]: async () => {
        await broker.stop('SIGTERM')
        await broker[Symbol.asyncDispose]()
        await end()
      },
    }
  } catch (error) {
    await end()
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}
