/**
 * Who this sensor is. Asked once at start: systeminformation starts processes for every answer,
 * so what the kernel says for nothing is read from there (device tree, sysfs, machine id).
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { AgentError } from './errors.ts'
import type { Settings } from './config.ts'
import type { Identity } from './types.ts'

const run = promisify(execFile)

const firstLine = async (path: string): Promise<string> => {
  try {
    return (await readFile(path, 'utf8')).replaceAll('\0', '').trim()
  } catch {
    return ''
  }
}

/** A Pi's serial is in the device tree; elsewhere the machine id stands in. Throws `no-serial` without either. */
export async function readIdentity(settings: Settings): Promise<Identity> {
  const asked = [readSerial(settings), readMacs(settings), readModel(), readFqdn()] as const
  const [serial, macs, model, fqdn] = await Promise.all(asked)
  const host = hostname()
  return {
    sensor: settings.sensor ?? serial.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 64),
    serial,
    macs,
    model,
    hostname: host.split('.')[0] ?? host,
    fqdn: fqdn.includes('.') ? fqdn : host.includes('.') ? host : '',
  }
}

/** @param top where the machine's files begin */
export async function readSerial({ serial: given }: Pick<Settings, 'serial'>, top = '/'): Promise<string> {
  const serial =
    given ??
    ((await firstLine(`${top}proc/device-tree/serial-number`)) || (await firstLine(`${top}etc/machine-id`)))
  if (serial) return serial
  throw new AgentError({
    code: 'no-serial',
    title: 'The sensor has no serial number',
    detail: 'neither /proc/device-tree/serial-number nor /etc/machine-id says one',
    hint: 'set "serial" in the settings',
    side: 'configuration',
    retry: 'never',
  })
}

async function readMacs(settings: Settings): Promise<Record<string, string>> {
  const addresses = settings.interfaces.map(async ({ name }): Promise<[string, string]> => [
    name,
    (await firstLine(`/sys/class/net/${name}/address`)).toLowerCase(),
  ])
  return Object.fromEntries((await Promise.all(addresses)).filter(([, mac]) => mac !== ''))
}

/** systeminformation's `osInfo` knows the domain too, and starts thirty processes for what else it knows. */
async function readFqdn(): Promise<string> {
  try {
    const { stdout } = await run('hostname', ['-f'], { timeout: 5_000 })
    return stdout.trim()
  } catch {
    return ''
  }
}

async function readModel(): Promise<string> {
  const { system } = await import('systeminformation')
  const { manufacturer, model } = await system()
  return [manufacturer, model].filter(Boolean).join(' ') || 'unknown'
}
