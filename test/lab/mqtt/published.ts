/** config/mosquitto/ as it is published, with the paths and ports of another place. */
import { readFile } from 'node:fs/promises'

const read = (name: string) => readFile(new URL(`../../../config/mosquitto/${name}`, import.meta.url), 'utf8')

export interface Place {
  /** Lines for the listeners: passwords, and client certificates. */
  listeners: readonly [string, string]
  ca: string
  certificate: string
  key: string
  /** A folder that the broker keeps its database in. */
  persistence: string
  dynamicSecurity: string
  /** Replaces the two lines of the plugin. */
  instead?: string | undefined
}

export async function publishedConfiguration(place: Place): Promise<string> {
  const [passwords, certificates] = place.listeners
  return (await read('sonde.conf'))
    .replace(/^listener 8883$/m, passwords)
    .replace(/^listener 8884$/m, certificates)
    .replace(/^#(use_username_as_clientid true)$/m, place.instead === undefined ? '' : '$1')
    .replace(/^persistence true$/m, `persistence true\npersistence_location ${place.persistence}/`)
    .replaceAll(/^cafile .*$/gm, `cafile ${place.ca}`)
    .replaceAll(/^certfile .*$/gm, `certfile ${place.certificate}`)
    .replaceAll(/^keyfile .*$/gm, `keyfile ${place.key}`)
    .replace('/var/lib/mosquitto/dynamic-security.json', place.dynamicSecurity)
    .replace(/^plugin [\s\S]*?^plugin_opt.*$/m, plugin => place.instead ?? plugin)
}

/** The commands of the README that make the operator's account, with the words for this broker in place of those for theirs. */
export async function grantsOfOperator(here: {
  host: string
  port: number
  ca: string
  password: string
}): Promise<string[][]> {
  const text = await read('README.md')
  const at = (/^at="(.*)"$/m.exec(text)?.[1] ?? '')
    .replace(/-h \S+/, `-h ${here.host}`)
    .replace(/-p \S+/, `-p ${String(here.port)}`)
    .replace(/--cafile \S+/, `--cafile ${here.ca}`)
  const commands = text.matchAll(/^mosquitto_ctrl \$at (dynsec .*)$/gm)
  return [...commands].map(([, words = '']) => [
    ...at.split(' '),
    ...['-P', here.password],
    ...words.replaceAll("'", '').split(' '),
    ...(words.includes('createClient') ? ['-p', here.password] : []),
  ])
}
