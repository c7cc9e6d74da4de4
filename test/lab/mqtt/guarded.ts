/** A broker set up as config/mosquitto/ says, with an operator. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../free-port.ts'
import { mosquitto, type Broker } from './broker.ts'
import type { ConsoleOptions } from './console.ts'
import { grantsOfOperator, publishedConfiguration } from './published.ts'
import { authority, type Authority } from './tls.ts'

const run = promisify(execFile)
export const password = 'operator-password'

export interface Guarded extends AsyncDisposable {
  url: string
  byCertificate: string
  broker: Broker
  authority: Authority
  operator: ConsoleOptions
}

/** The published configuration with the paths of this place; `more` replaces the two lines of the plugin. */
export async function guarded(folder: string, more?: string): Promise<Guarded> {
  const ca = await authority(join(folder, 'pki'))
  const server = await ca.issue('server', 'DNS:localhost,IP:127.0.0.1')
  const second = await freePort()
  const lines = await publishedConfiguration({
    ...{ ca: ca.ca, certificate: server.certificate, key: server.key, instead: more, persistence: '%d' },
    // The first listener, and what it is, is mosquitto()'s.
    listeners: ['', `listener ${second} 127.0.0.1`],
    dynamicSecurity: join(folder, 'dynsec.json'),
  })
  if (more === undefined)
    await run('mosquitto_ctrl', ['dynsec', 'init', join(folder, 'dynsec.json'), 'admin', password])
  const broker = await mosquitto(lines.replace(/^set_tcp_nodelay .*$/m, '').split('\n'))
  const url = `mqtts://localhost:${broker.port}`
  const environment = {
    SONDE_BROKER_USER: 'operator',
    SONDE_BROKER_PASSWORD: password,
    SONDE_BROKER_CA: ca.ca,
  }
  return {
    ...{ url, byCertificate: `mqtts://localhost:${second}`, broker, authority: ca },
    operator: { environment },
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  }
}

/** The commands of config/mosquitto/README.md that give the operator the documents. */
export async function grantOperator({ broker, authority: { ca } }: Guarded): Promise<void> {
  const commands = await grantsOfOperator({ host: 'localhost', port: broker.port, ca, password })
  for (const command of commands) await run('mosquitto_ctrl', command)
}
