/** What a CONNECT says. Pure. */
import type { IClientOptions } from 'mqtt'

export interface Login {
  clientId: string
  protocol: 5 | 4
  username?: string | undefined
  password?: string | undefined
  /** Seconds. */
  keepAlive: number
  /** Seconds the broker keeps the session, and what is queued in it, without us (MQTT 5). */
  sessionExpiry: number
  /** The delay in seconds holds where MQTT 5 allows one. */
  will: { topic: string; payload: string; delay: number }
}

/**
 * Bytes of a packet that are read: four of the largest document. A broker that speaks MQTT 5 keeps what is longer from us; with
 * another one the connection ends, or one retained message would cost the agent all the memory it may have.
 */
export const largest = 1024 * 1024

export function optionsOf(login: Login): IClientOptions {
  const { clientId, protocol, username, password, keepAlive, will, sessionExpiry } = login
  return {
    clientId,
    protocolVersion: protocol,
    clean: false,
    keepalive: keepAlive,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(protocol === 5 && {
      properties: { sessionExpiryInterval: sessionExpiry, receiveMaximum: 100, maximumPacketSize: largest },
    }),
    will: {
      topic: will.topic,
      payload: Buffer.from(will.payload),
      qos: 1,
      retain: true,
      ...(protocol === 5 && { properties: { willDelayInterval: will.delay } }),
    },
  }
}
