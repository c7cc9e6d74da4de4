/** docs/asyncapi.yaml: the topics and who sends what, over the schemas of config/schema/. */
import { format } from 'prettier'
import { version } from '../../agent/version.ts'
import { titles, type DocumentName } from './descriptions.ts'

interface Channel {
  document: Exclude<DocumentName, 'settings'>
  address: string
  retained: boolean
  /** From the side of the sensor. */
  action: 'send' | 'receive'
  summary: string
}

export const channels: readonly Channel[] = [
  {
    document: 'network',
    address: '{prefix}/networks/{network}',
    retained: true,
    action: 'receive',
    summary: 'A network, defined once for the fleet. Emptied: suspended.',
  },
  {
    document: 'sensor',
    address: '{prefix}/sensors/{sensor}/desired',
    retained: true,
    action: 'receive',
    summary: 'What one sensor tests. The only authority for membership.',
  },
  {
    document: 'presence',
    address: '{prefix}/sensors/{sensor}/presence',
    retained: true,
    action: 'send',
    summary: 'Whether the sensor is there. Also its Will Message.',
  },
  {
    document: 'reported',
    address: '{prefix}/sensors/{sensor}/reported',
    retained: true,
    action: 'send',
    summary: 'The whole state of the sensor, on change, at most once a second.',
  },
  {
    document: 'event',
    address: '{prefix}/sensors/{sensor}/events',
    retained: false,
    action: 'send',
    summary: 'The timeline, at least once, in order.',
  },
  {
    document: 'command',
    address: '{prefix}/sensors/{sensor}/commands',
    retained: false,
    action: 'receive',
    summary: 'Something to do now, at most once per id.',
  },
  {
    document: 'reply',
    address: '{prefix}/sensors/{sensor}/replies',
    retained: false,
    action: 'send',
    summary: 'How a command ended. MQTT 5: to its response topic, with its correlation data.',
  },
]

const parameters: Record<string, string> = {
  prefix: 'First levels of all topics; `sonde` unless the settings say otherwise.',
  network: 'Id of a network.',
  sensor: 'Id of a sensor; also its MQTT client id.',
}

/** AsyncAPI 3.0, formatted as the house formats YAML. */
export async function asyncapi(): Promise<string> {
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Sonde over MQTT',
      version,
      description: 'Made from the schemas of the agent; docs/mqtt.md says what the documents mean together.',
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(channels.map(channel => [channel.document, channelOf(channel)])),
    operations: Object.fromEntries(
      channels.map(channel => [`${channel.action}-${channel.document}`, operationOf(channel)]),
    ),
    components: {
      messages: Object.fromEntries(
        channels.map(({ document }) => [
          document,
          { name: document, title: titles[document], payload: { $ref: `../config/schema/${document}.json` } },
        ]),
      ),
    },
  }
  // JSON is YAML; the formatter writes it as people expect it.
  return format(yaml(document, 0), { parser: 'yaml', semi: false, singleQuote: true, printWidth: 110 })
}

const channelOf = ({ address, summary, document }: Channel): object => ({
  address,
  summary,
  parameters: Object.fromEntries(
    [...address.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, { description: parameters[name] }]),
  ),
  messages: { [document]: { $ref: `#/components/messages/${document}` } },
})

const operationOf = ({ action, document, retained, summary }: Channel): object => ({
  action,
  summary,
  channel: { $ref: `#/channels/${document}` },
  bindings: { mqtt: { qos: 1, retain: retained } },
})

function yaml(value: unknown, depth: number): string {
  if (typeof value !== 'object' || value === null) return ` ${JSON.stringify(value)}\n`
  const lines = Object.entries(value).map(([key, entry]) => {
    const name = /^\w[\w-]*$/.test(key) ? key : JSON.stringify(key)
    return `${'  '.repeat(depth)}${name}:${yaml(entry, depth + 1)}`
  })
  return `\n${lines.join('')}`
}
