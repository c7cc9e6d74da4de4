/** Everything that passes an interface of the sensor, heard by a raw socket of another program. */
import type { Daemon } from '../daemon.ts'
import type { Lab } from '../lab.ts'

const program = `
import socket, sys
heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
heard.bind((sys.argv[1], 0))
print("ready", flush=True)
while True:
    print(heard.recv(262144).hex(), flush=True)
`

export class Capture {
  readonly #daemon: Daemon

  private constructor(daemon: Daemon) {
    this.#daemon = daemon
  }

  static async on(lab: Lab, device: string): Promise<Capture> {
    const args = ['-u', '-c', program, device]
    const options = {
      name: `capture-${device}`,
      role: 'sensor',
      command: 'python3',
      args,
      ready: /^ready$/,
    } as const
    return new Capture(await lab.site.daemon(options))
  }

  get frames(): Buffer[] {
    const lines = this.#daemon.output.since(0).filter(line => /^(?:[0-9a-f]{2})+$/.test(line))
    return lines.map(line => Buffer.from(line, 'hex'))
  }

  /** What TCP carried to this port, by connection, put together again by sequence number. */
  sentTo(port: number): Buffer[] {
    const connections = new Map<number, Map<number, Buffer>>()
    for (const frame of this.frames) {
      const segment = tcp(frame)
      if (segment?.to !== port || segment.payload.length === 0) continue
      const parts = connections.get(segment.from) ?? new Map<number, Buffer>()
      connections.set(segment.from, parts.set(segment.sequence, segment.payload))
    }
    return [...connections.values()].map(parts =>
      Buffer.concat([...parts].sort(([one], [other]) => one - other).map(([, payload]) => payload)),
    )
  }

  /** Whether these bytes were in any frame or in what TCP carried, in either direction. */
  has(bytes: Buffer): boolean {
    return this.frames.some(frame => frame.includes(bytes))
  }
}

function tcp(frame: Buffer): { from: number; to: number; sequence: number; payload: Buffer } | undefined {
  const isTcp = frame.length >= 54 && frame.readUInt16BE(12) === 0x0800 && frame[23] === 6
  if (!isTcp) return undefined
  const packet = frame.subarray(14, 14 + frame.readUInt16BE(16))
  const segment = packet.subarray(((packet[0] ?? 0) & 15) * 4)
  const payload = segment.subarray(((segment[12] ?? 0) >> 4) * 4)
  return {
    from: segment.readUInt16BE(0),
    to: segment.readUInt16BE(2),
    sequence: segment.readUInt32BE(4),
    payload,
  }
}
