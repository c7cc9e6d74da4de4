/** From the device settings to the link's: files are read here, so that a missing one is a settings error with its path. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Settings } from './config.ts'
import { AgentError } from './errors.ts'
import type { LinkSettings } from './mqtt/link.ts'
import type { Judge } from './mqtt/socket.ts'
import type { Topics } from './desired/topics.ts'

export async function brokerLinkSettings(
  { mqtt }: Settings,
  { topics, judge }: { topics: Topics; judge?: Judge },
): Promise<LinkSettings> {
  // One after the other: of several mistakes the same one is always told first.
  const ca = await pem('mqtt.ca', mqtt.ca)
  const certificate = await pem('mqtt.certificate', mqtt.certificate)
  const key = await pem('mqtt.key', mqtt.key)
  const { urls, username, password, keepalive } = mqtt
  return { topics, urls, username, password, ca, certificate, key, judge, keepAlive: keepalive }
}

async function pem(setting: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw invalid(setting, path, 'cannot be read', cause)
  })
  try {
    if (setting === 'mqtt.key') createPrivateKey(text)
    else new X509Certificate(text)
  } catch {
    // The cause may quote what it read, which may be a key.
    throw invalid(setting, path, `holds no ${setting === 'mqtt.key' ? 'private key' : 'certificate'} in PEM`)
  }
  return text
}

const invalid = (setting: string, path: string, why: string, cause?: unknown): AgentError =>
  new AgentError(
    {
      code: 'settings-invalid',
      title: 'The settings cannot be used',
      detail: `${setting}: ${path} ${why}`,
      hint: 'give the path of a PEM file that the agent may read',
      side: 'configuration',
      retry: 'never',
    },
    { cause },
  )
