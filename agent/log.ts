/** JSON lines on standard output, written synchronously: under journald a worker thread would only cost memory. */
import { destination, pino, type Logger } from 'pino'

export type Log = Logger

/** Secrets are kept out at the source; this net catches what slips into a bound object. */
const secrets = ['password', 'passphrase', 'challengePassword', 'psk', 'privateKey', 'private_key_passwd']

export function openLog(level: string): Log {
  return pino(
    {
      level,
      base: null,
      formatters: { level: label => ({ level: label }) },
      redact: { paths: secrets.flatMap(name => [name, `*.${name}`, `*.*.${name}`]), censor: '(secret)' },
    },
    destination({ dest: 1, sync: true }),
  )
}
