/**
 * Who this sensor is. Asked once at start: systeminformation starts processes for every answer,
 * so what the kernel says for nothing is read from there (device tree, sysfs, machine id).
 */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { AgentError } from './errors.ts'
import type { Settings } from './config.ts'
import type { Identity } from './types.ts'

const firstLine = async (path: string): Promise<string> => {
  try {
    return (await readFile(path, 'utf8')).replaceAll('\0', '').trim()
  } catch {
    return ''
  }
}

/** A Pi's serial is in the device tree; elsewhere the machine id stands in. Throws `no-serial` without either. */
export async function readIdentity(settings: Settings): Promise<Identity> {
  const [serial, macs, system] = await Promise.all([readSerial(settings), readMacs(settings), readSystem()])
  const host = hostname()
  return {
    sensor: settings.sensor ?? serial.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 64),
    serial,
    macs,
    model: system.model,
    hostname: host.split('.')[0] ?? host,
    fqdn: system.fqdn.includes('.') ? system.fqdn : host.includes('.') ? host : '',
  }
}

async function readSerial(settings: Settings): Promise<string> {
  const serial =
    settings.serial ??
    ((await firstLine('/proc/device-tree/serial-number')) || (await firstLine('/etc/machine-id')))
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

async function readSystem(): Promise<{ model: string; fqdn: string }> {
  const { system, osInfo } = await import('systeminformation')
  const [board, os] = await Promise.all([system(), osInfo()])
  return { model: [board.manufacturer, board.model].filter(Boolean).join(' ') || 'unknown', fqdn: os.fqdn }
}
