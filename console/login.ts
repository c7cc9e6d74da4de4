/** How the operator's connection is made, and what to do where it is not. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Socket } from 'node:net'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { exitCodes, Failure, interrupted, unreadable, usage } from './failure.ts'

export interface BrokerOptions {
  url: string
  username?: string | undefined
  password?: string | undefined
  /** Paths of PEM files. */
  ca?: string | undefined
  certificate?: string | undefined
  key?: string | undefined
  prefix: string
  /** Documents with secrets may go over an open network. */
  insecure: boolean
  /** Milliseconds. */
  timeout: number
}

/** @throws Failure with exit code 3 when the broker is not reached or refuses, 2 for files that cannot be used */
export async function opened(options: BrokerOptions, signal: AbortSignal): Promise<MqttClient> {
  const client = mqtt.connect(options.url, await clientOptions(options))
  client.on('error', () => undefined)
  // QoS 2 is never asked for, and of a PUBREL without an id, or behind the end, MQTT.js makes an error that nobody catches.
  client.on('packetreceive', packet => {
    if (packet.cmd !== 'pubrel') return
    Object.assign(packet, { cmd: 'pingresp' })
    client.stream.destroy()
  })
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      clearTimeout(late)
      signal.removeEventListener('abort', abort)
      client.end(true)
      reject(signal.aborted ? interrupted() : unreachable(options.url, error))
    }
    const abort = (): void => fail(new Error('interrupted'))
    const late = setTimeout(
      () => fail(new Error(`no answer within ${String(options.timeout / 1000)} s`)),
      options.timeout,
    )
    // As a TLS listener does to who speaks no TLS to it.
    const closed = (): void => fail(new Error('it closed the connection before it answered'))
    signal.addEventListener('abort', abort)
    client.once('error', fail).once('close', closed)
    client.once('connect', () => {
      clearTimeout(late)
      signal.removeEventListener('abort', abort)
      client.off('error', fail).off('close', closed)
      resolve()
    })
  })
  // A fleet of documents at once must not wait for each other's acknowledgement.
  ;(client.stream as Socket).setNoDelay(true)
  return client
}

/** Before anybody is asked. */
async function clientOptions(options: BrokerOptions): Promise<IClientOptions> {
  const { username, password, timeout } = options
  return {
    // Two commands of one person must not push each other off.
    clientId: `sonde-fleet-${randomUUID().slice(0, 8)}`,
    protocolVersion: 4,
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: timeout,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(await pems(options)),
  }
}

interface Pems {
  ca?: Buffer
  cert?: Buffer
  key?: Buffer
}

async function pems({ ca, certificate, key }: BrokerOptions): Promise<Pems> {
  if ((certificate === undefined) !== (key === undefined))
    throw usage('--certificate and --certificate-key go together')
  const read = (path: string): Promise<Buffer> =>
    readFile(path).catch((cause: unknown) => {
      throw unreadable(path, cause, exitCodes.usage)
    })
  const files: Pems = {
    ...(ca !== undefined && { ca: await read(ca) }),
    ...(certificate !== undefined && { cert: await read(certificate) }),
    ...(key !== undefined && { key: await read(key) }),
  }
  // What holds no certificate at all would be passed over.
  if (files.ca?.includes('-----BEGIN ') === false) throw usage(`${ca ?? ''} holds no certificate in PEM`)
  try {
    createSecureContext(files)
  } catch (cause) {
    const named = [ca, certificate, key].filter(path => path !== undefined).join(', ')
    throw usage(
      `${named} cannot be used: ${reasonOf(cause)}`,
      'look at --ca, --certificate, --certificate-key',
    )
  }
  return files
}

/** OpenSSL's own words without the places in its sources. */
function reasonOf(error: unknown): string {
  const { message = String(error), code } = error as { message?: string; code?: unknown }
  const [, openssl] = /error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/.exec(message) ?? []
  const words = openssl ?? message.trim()
  return words === '' ? String(code) : words
}

const hints: readonly (readonly [RegExp, string])[] = [
  [/not authorized|bad user/i, 'look at --user and at the password in SONDE_BROKER_PASSWORD'],
  [/certificate required|alert|handshake/i, 'give a client certificate: --certificate and --certificate-key'],
  [/wrong version number/i, 'no TLS is spoken there: look at the port, or write mqtt://'],
  [/ECONNRESET|closed the connection/i, 'look at the port: a listener with TLS needs mqtts://'],
  [
    /certificate|altnames|issuer/i,
    'give the CA of the broker (--ca), and its name as its certificate has it',
  ],
]

/** Without the user and the password that may stand in it. */
export function nameOf(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}

/** Whether the broker does not want this user; to ask again is in vain. */
export const isRefusal = ({ cause }: Failure): boolean =>
  cause instanceof Error && 'code' in cause && (cause.code === 4 || cause.code === 5)

function unreachable(url: string, cause: Error): Failure {
  const detail = reasonOf(cause)
  const hint =
    hints.find(([words]) => words.test(detail))?.[1] ??
    'look whether the broker runs, and at --broker (SONDE_BROKER)'
  return new Failure(`the broker ${nameOf(url)} is not reached: ${detail}`, {
    exit: exitCodes.unreachable,
    hint,
    cause,
  })
}
