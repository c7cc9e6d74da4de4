import { once } from 'node:events'
import { Agent as HttpAgent, type AgentOptions, type ClientRequestArgs } from 'node:http'
import { Agent as HttpsAgent, type RequestOptions } from 'node:https'
import { connect, isIP, Socket, type LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import { checkpoint } from '../checkpoint.ts'
import { lookupAnswering } from './answering.ts'

/** What a socket needs to leave on one interface and no other. */
export interface Binding {
  localAddress: string
  lookup: LookupFunction
  /** Rejects when packets to `host`, if it is a literal address, would leave on another interface; `lookup` does it for names. */
  verify: (host: string) => Promise<void>
  /** Sockets in use: they are destroyed when the path breaks. */
  sockets: Set<Socket>
}

type OnCreate = (error: Error | null, stream: Duplex) => void

function keep(binding: Binding, stream: Duplex | null | undefined): Duplex | null | undefined {
  if (stream instanceof Socket) {
    binding.sockets.add(stream)
    stream.once('close', () => binding.sockets.delete(stream))
  }
  return stream
}

/** How one connection to `port` is made; `family` because nothing else is looked up. */
const bound = (binding: Binding, port: number) => {
  const { localAddress, lookup } = binding
  const keeping = (socket: Socket): unknown => keep(binding, socket)
  return { localAddress, lookup: lookupAnswering({ lookup, localAddress, port, keep: keeping }), family: 4 }
}

/** Node hands literal addresses to the kernel without a lookup, so the agent itself looks at the route first. */
function create(
  binding: Binding,
  host: string | null | undefined,
  make: () => Duplex | null | undefined,
  oncreate: OnCreate | undefined,
): undefined {
  binding.verify(host ?? '').then(
    () => {
      checkpoint(`connect ${host ?? ''}`)
      const stream = keep(binding, make())
      if (stream) oncreate?.(null, stream)
    },
    (error: unknown) => {
      ;(oncreate as ((error: Error) => void) | undefined)?.(error as Error)
    },
  )
}

class BoundHttpAgent extends HttpAgent {
  readonly #binding: Binding
  constructor(binding: Binding, options: AgentOptions) {
    super(options)
    this.#binding = binding
  }
  override createConnection(options: ClientRequestArgs, oncreate?: OnCreate): undefined {
    const whole = { ...options, ...bound(this.#binding, Number(options.port)) }
    create(this.#binding, options.host, () => super.createConnection(whole), oncreate)
  }
}

class BoundHttpsAgent extends HttpsAgent {
  readonly #binding: Binding
  constructor(binding: Binding, options: AgentOptions) {
    super(options)
    this.#binding = binding
  }
  override createConnection(options: RequestOptions, oncreate?: OnCreate): undefined {
    const whole = { ...options, ...bound(this.#binding, Number(options.port)) }
    create(this.#binding, options.host, () => super.createConnection(whole), oncreate)
  }
}

/** Agents for `http.request` and `https.request` that keep connections open between requests. */
export const boundAgents = (binding: Binding): { 'http:': HttpAgent; 'https:': HttpAgent } => ({
  'http:': new BoundHttpAgent(binding, { keepAlive: true, maxFreeSockets: 2 }),
  'https:': new BoundHttpsAgent(binding, { keepAlive: true, maxFreeSockets: 2 }),
})

/** A connected TCP socket. Rejects with a PathError, the system's error (`ECONNREFUSED` …) or the signal's reason. */
export async function connectOver(
  binding: Binding,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  signal.throwIfAborted()
  if (isIP(host) !== 0) await binding.verify(host)
  signal.throwIfAborted()
  checkpoint(`connect ${host}`)
  const socket = connect({ host, port, ...bound(binding, port) })
  keep(binding, socket)
  const onAbort = (): void => {
    socket.destroy(signal.reason as Error)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await once(socket, 'connect')
    return socket
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
