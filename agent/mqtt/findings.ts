/** What is wrong with the link, in a form that is reported and shown. Pure. */
import type { Finding } from '../errors.ts'
import { ConnectionRefused } from './connection.ts'

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** A finding for a failed attempt or a refused request. Never holds the password: errors of the socket and of MQTT do not. */
export function findingOf(url: string, error: unknown, what?: string): Finding {
  const { host } = new URL(url)
  const detail = error instanceof Error ? error.message : String(error)
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
  if (error instanceof ConnectionRefused) {
    return {
      code: 'broker-refused',
      title: 'The broker refused the sensor',
      detail: `${host}: ${detail} (${String(error.code)})`,
      hint: 'look at the user name, password or client certificate in the settings, and at the rights on the broker',
      side: 'server',
      retry: 'backoff',
    }
  }
  const code = codeOf(error)
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
  return {
    code: 'broker-unreachable',
    title: 'The broker is not reached',
    detail: `${host}: ${detail}`,
    hint: 'look whether the broker runs, and whether the sensor has a path to it',
    side: 'network',
    retry: 'backoff',
  }
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
