/** What is wrong with the link, in a form that is reported and shown. Pure. */
import type { Finding } from '../errors.ts'
import { ConnectionRefused, tooLarge } from './connection.ts'
import { Untrusted } from './socket.ts'

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** Reason codes of a CONNACK that blame nobody: server unavailable (3.1.1 and 5) or busy, quota or connection rate exceeded. */
const overloaded = new Set([3, 136, 137, 151, 159])

/** OpenSSL's own without the places in its sources. */
function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return (/error:[0-9A-F]+:[^:]*:[^:]*:([^:\n]+)/.exec(message)?.[1] ?? message).trim()
}

/** A finding for a failed attempt or a refused request. Never holds the password: errors of the socket and of MQTT do not. */
export function findingOf(url: string, error: unknown, what?: string, now = new Date()): Finding {
  const { host } = new URL(url)
  const code = codeOf(error)
  const detail = wordsOf(error)
  if (what !== undefined) {
    return {
      code: 'broker-denied',
      title: 'The broker refused a request',
      detail: `${what}: ${detail}`,
      hint: 'give the sensor its rights on the broker: config/mosquitto shows how',
      side: 'server',
      retry: 'change',
    }
  }
  if (detail === tooLarge) {
    return {
      code: 'broker-message-too-large',
      title: 'A message is too large to be read',
      detail: `${host}: ${detail}`,
      hint: 'find out who publishes it, and take it away: it is retained for the sensor or one of its networks, or is a command',
      side: 'configuration',
      retry: 'backoff',
    }
  }
  // The broker's own word: it has seen our certificate, or none.
  const alert = code.includes('ALERT_') || /\balert\b/.test(detail)
  if (alert || (error instanceof ConnectionRefused && !overloaded.has(error.code))) {
    const number = error instanceof ConnectionRefused ? ` (${String(error.code)})` : ''
    return {
      code: 'broker-refused',
      title: 'The broker refused the sensor',
      detail: `${host}: ${detail}${number}`,
      hint: alert
        ? 'look at mqtt.certificate and mqtt.key in the settings, and at the CA and the TLS version that the broker wants'
        : 'look at the user name, password or client certificate in the settings, and at the broker: the rights of the sensor, retained messages, QoS 1',
      side: 'server',
      retry: 'backoff',
    }
  }
  return (
    untrusted(host, code, detail, error instanceof Untrusted, now) ?? {
      code: 'broker-unreachable',
      title: 'The broker is not reached',
      detail: `${host}: ${detail}`,
      hint: 'look whether the broker runs, whether the sensor has a path to it, and whether its port speaks TLS (mqtts://)',
      side: 'network',
      retry: 'backoff',
    }
  )
}

/** What is wrong with the certificate of the broker; undefined: nothing that is known. `judged`: not by the system clock. */
function untrusted(
  host: string,
  code: string,
  detail: string,
  judged: boolean,
  now: Date,
): Finding | undefined {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return {
      code: 'broker-certificate-dates',
      title: 'The certificate of the broker is not valid now',
      detail: `${host}: ${detail}${judged ? '' : `, by the system clock, which says ${now.toISOString()}`}`,
      hint: 'set the system clock of the sensor, or renew the certificate of the broker',
      side: 'clock',
      retry: 'backoff',
    }
  }
  if (code.startsWith('ERR_TLS') || code.startsWith('CERT_') || /CERT|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return {
      code: 'broker-untrusted',
      title: 'The certificate of the broker is not trusted',
      detail: `${host}: ${detail}`,
      hint: 'put the CA of the broker into mqtt.ca, and its name into the URL',
      side: 'configuration',
      retry: 'backoff',
    }
  }
  return undefined
}

/** A cloned card: two sensors push each other off the broker. */
export const identityInUse = (sensor: string): Finding => ({
  code: 'identity-in-use',
  title: 'Another sensor uses the same id',
  detail: `the broker sees ${sensor} from two places`,
  hint: 'a cloned card: give one of the two another serial or "sensor" in its settings, and clear its state directory',
  side: 'configuration',
  retry: 'backoff',
})
