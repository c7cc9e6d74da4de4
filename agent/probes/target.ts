import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import type { Target } from '../desired/sensor.ts'
import type { Path } from '../path/index.ts'
import { ping } from './gateway.ts'
import type { Probe } from './probe.ts'

/** What the sensor document wants reached over every network it tests. */
export function target(wanted: Target): Probe {
  switch (wanted.probe) {
    case 'ping':
      return {
        probe: `ping ${wanted.host}`,
        run: async (path, signal) => {
          const [address = ''] = await addresses(path, wanted.host)
          return ping(path, address, signal)
        },
      }
    case 'dns':
      return {
        probe: `dns ${wanted.name}`,
        run: async path => (await addresses(path, wanted.name)).join(' '),
      }
    case 'tcp':
      return {
        probe: `tcp ${wanted.host}:${String(wanted.port)}`,
        run: async (path, signal) => {
          const socket = await path.connect(wanted.host, wanted.port, signal)
          const seen = `connected to ${socket.remoteAddress ?? wanted.host}`
          socket.destroy()
          return seen
        },
      }
    case 'http':
      return {
        probe: `http ${wanted.url.slice(0, 200)}`,
        run: async (path, signal) => status(path, wanted.url, signal),
      }
  }
}

/** By the name servers of the network. */
const addresses = (path: Path, name: string): Promise<string[]> =>
  new Promise((resolve, reject) => {
    path.lookup(name, { all: true, family: 4 }, (error, found) => {
      if (error) reject(error)
      else resolve([found].flat().map(entry => (typeof entry === 'string' ? entry : entry.address)))
    })
  })

/** A redirection is an answer; its content is not looked at. */
async function status(path: Path, url: string, signal: AbortSignal): Promise<string> {
  const { protocol } = new URL(url)
  const [get, wire] = protocol === 'https:' ? [getHttps, path.wire('https:')] : [getHttp, path.wire('http:')]
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { ...wire, signal }, resolve).once('error', reject)
  })
  response.destroy()
  const { statusCode = 0, statusMessage = '' } = response
  const seen = `HTTP status ${String(statusCode)} ${statusMessage}`.trim()
  if (statusCode >= 400) throw new Error(seen)
  return seen
}
