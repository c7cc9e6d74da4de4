/** `assign --target`: what a test tries to reach beside the gateway and the SCEP server. Pure. */
import { usage } from './failure.ts'
import type { Values } from './context.ts'

const forms = 'ping:HOST, dns:NAME, tcp:HOST:PORT, or an http(s) URL'

/** As the sensor document holds it; the schema judges the rest. @throws Failure for what has none of the forms */
function targetOf(text: string): object {
  if (/^https?:\/\//i.test(text)) return { probe: 'http', url: text }
  const [, probe = '', rest = ''] = /^(ping|dns|tcp):(.+)$/.exec(text) ?? []
  if (probe === 'ping') return { probe, host: rest }
  if (probe === 'dns') return { probe, name: rest }
  const [, host = '', port = ''] = /^\[?([^\]]+)\]?:(\d+)$/.exec(rest) ?? []
  if (probe === 'tcp' && host !== '') return { probe, host, port: Number(port) }
  throw usage(`--target ${text}: not ${forms}`)
}

/** Those that take the place of what is tried now; an empty one alone: none any more. undefined: not a word of them. */
export function targetsOf(values: Values): object[] | undefined {
  const given = values['target']
  return Array.isArray(given) ? given.filter(text => text !== '').map(targetOf) : undefined
}
