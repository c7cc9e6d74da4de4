import type { Duplex } from 'node:stream'
import { Message, type MessageBus, MessageType, sessionBus, Variant } from 'dbus-next'
import { demand, matching } from './checks.ts'
import { SupplicantError, type SupplicantErrorCode } from './errors.ts'

/** A signal as it came from the bus, variants unwrapped; `at` is `performance.now()` of its arrival. */
export interface BusSignal {
  path: string
  interface: string
  member: string
  body: readonly unknown[]
  at: number
}

export interface BusCall {
  destination: string
  path: string
  interface: string
  member: string
  signature?: string
  body?: unknown[]
  /** Milliseconds until the call is given up; the bus's own deadline otherwise. */
  deadline?: number
}

interface Pending {
  resolve: (body: unknown[]) => void
  reject: (error: SupplicantError) => void
  timer: NodeJS.Timeout
  call: BusCall
}

const DBUS = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
}

/** A value with its D-Bus signature, as `a{sv}` and `Set` want it. */
export const variant = (signature: string, value: unknown): unknown => new Variant(signature, value)

/** Variants unwrapped all the way down; byte arrays stay Buffers. */
export function plain(value: unknown): unknown {
  if (value instanceof Variant) return plain(value.value)
  if (Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
  return value
}

const ERRORS: Record<string, SupplicantErrorCode> = {
  'org.freedesktop.DBus.Error.ServiceUnknown': 'supplicant-absent',
  'org.freedesktop.DBus.Error.NameHasNoOwner': 'supplicant-absent',
  'org.freedesktop.DBus.Error.NoReply': 'supplicant-absent',
  'org.freedesktop.DBus.Error.AccessDenied': 'access-denied',
  'org.freedesktop.DBus.Error.UnknownObject': 'interface-unknown',
  'org.freedesktop.DBus.Error.UnknownMethod': 'interface-unknown',
  'fi.w1.wpa_supplicant1.InterfaceUnknown': 'interface-unknown',
  'fi.w1.wpa_supplicant1.NetworkUnknown': 'network-unknown',
  'fi.w1.wpa_supplicant1.BlobExists': 'blob-exists',
  'fi.w1.wpa_supplicant1.BlobUnknown': 'blob-unknown',
  'fi.w1.wpa_supplicant1.InvalidArgs': 'invalid-argument',
  'org.freedesktop.DBus.Error.InvalidArgs': 'invalid-argument',
}

/**
 * One connection to a message bus, with what the library beneath leaves out: every call has a deadline, a closed
 * socket rejects everything pending and is told to `onClose`, and nothing is left behind by calls that failed.
 * Match rules are added once by `match` and end with the connection.
 */
export class Bus implements AsyncDisposable {
  readonly #bus: MessageBus
  readonly #stream: Duplex
  readonly #deadline: number
  readonly #pending = new Map<number, Pending>()
  readonly #signals = new Set<(signal: BusSignal) => void>()
  readonly #closes = new Set<(error: SupplicantError) => void>()
  #closed: SupplicantError | undefined
  #cause: unknown

  private constructor(bus: MessageBus, stream: Duplex, deadline: number) {
    this.#bus = bus
    this.#stream = stream
    this.#deadline = deadline
    bus.on('message', message => {
      this.#received(message)
    })
    onError(bus, error => (this.#cause = error))
    stream.on('close', () => {
      this.#close(this.#over())
    })
  }

  /** Connects and says Hello. Rejects with `bus-unreachable` when that takes longer than the deadline. */
  static async connect(address: string, deadline = 5_000, signal?: AbortSignal): Promise<Bus> {
    signal?.throwIfAborted()
    const bus = sessionBus({ busAddress: address })
    let end: (error?: unknown) => void = () => undefined
    const timer = setTimeout(() => {
      end(new Error(`no answer within ${String(deadline)} ms`))
    }, deadline)
    const abort = () => {
      end(signal?.reason)
    }
    signal?.addEventListener('abort', abort)
    const off = onError(bus, error => {
      end(error)
    })
    try {
      await new Promise<void>((resolve, reject) => {
        end = error => {
          if (error === undefined) resolve()
          else reject(error instanceof Error ? error : new Error('the message bus refused the connection'))
        }
        bus.once('connect', () => {
          end()
        })
      })
      const stream = streamOf(bus)
      if (stream === undefined || stream.destroyed) throw new Error('closed during the handshake')
      return new Bus(bus, stream, deadline)
    } catch (error) {
      onError(bus, () => undefined)
      streamOf(bus)?.destroy()
      signal?.throwIfAborted()
      throw new SupplicantError('bus-unreachable', `no message bus at ${address}`, { cause: error })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      off()
    }
  }

  /** Calls a method and gives the reply's arguments, variants unwrapped. */
  call(call: BusCall): Promise<unknown[]> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    // The socket knows of its end before it is closed.
    if (!this.#stream.writable) return Promise.reject(this.#over())
    return new Promise((resolve, reject) => {
      sendable(call)
      const serial = this.#bus.newSerial()
      const deadline = call.deadline ?? this.#deadline
      const timer = setTimeout(() => {
        this.#pending.delete(serial)
        reject(
          new SupplicantError(
            'call-timeout',
            `${call.member} was not answered within ${String(deadline)} ms`,
          ),
        )
      }, deadline)
      this.#pending.set(serial, { resolve, reject, timer, call })
      try {
        this.#bus.send(messageOf(call, serial))
      } catch (error) {
        clearTimeout(timer)
        this.#pending.delete(serial)
        reject(
          new SupplicantError('invalid-argument', `${call.member}: an argument has the wrong type`, {
            cause: error,
          }),
        )
      }
    })
  }

  /** Adds one match rule for as long as the connection lives. */
  async match(rule: string): Promise<void> {
    await this.call({ ...DBUS, member: 'AddMatch', signature: 's', body: [rule] })
  }

  /** The unique name that owns a well-known name, or undefined. */
  async owner(name: string): Promise<string | undefined> {
    try {
      const [owner] = await this.call({ ...DBUS, member: 'GetNameOwner', signature: 's', body: [name] })
      return String(owner)
    } catch (error) {
      if (error instanceof SupplicantError && error.code === 'supplicant-absent') return undefined
      throw error
    }
  }

  onSignal(listener: (signal: BusSignal) => void): Disposable {
    this.#signals.add(listener)
    return { [Symbol.dispose]: () => this.#signals.delete(listener) }
  }

  /** Called once, when the connection ends for whatever reason, or soon when it has ended already. */
  onClose(listener: (error: SupplicantError) => void): Disposable {
    const closed = this.#closed
    if (closed === undefined) this.#closes.add(listener)
    else
      queueMicrotask(() => {
        listener(closed)
      })
    return { [Symbol.dispose]: () => this.#closes.delete(listener) }
  }

  /** What is held at this moment; the leak tests compare it before and after. */
  counts(): { pending: number; listeners: number } {
    return { pending: this.#pending.size, listeners: this.#signals.size + this.#closes.size }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stream.closed) return
    await new Promise<void>(resolve => {
      this.#stream.once('close', resolve)
      this.#stream.destroy()
    })
  }

  #received(message: Message): void {
    if (message.type === MessageType.SIGNAL) {
      const { path, interface: name, member } = message
      const signal = { path, interface: name, member, body: message.body.map(plain), at: performance.now() }
      for (const listener of [...this.#signals]) listener(signal)
      return
    }
    const pending = message.replySerial === undefined ? undefined : this.#pending.get(message.replySerial)
    if (pending === undefined || message.replySerial === undefined) return
    this.#pending.delete(message.replySerial)
    clearTimeout(pending.timer)
    if (message.type === MessageType.METHOD_RETURN) pending.resolve(message.body.map(plain))
    else pending.reject(refusal(pending.call, message))
  }

  #over(): SupplicantError {
    const text = 'the connection to the message bus was closed'
    return new SupplicantError('bus-closed', text, this.#cause === undefined ? {} : { cause: this.#cause })
  }

  #close(error: SupplicantError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer)
      reject(error)
    }
    this.#pending.clear()
    this.#signals.clear()
    for (const listener of [...this.#closes]) listener(error)
    this.#closes.clear()
  }
}

function messageOf({ signature = '', body = [], ...call }: BusCall, serial: number): Message {
  const { destination, path, interface: name, member } = call
  const message = new Message({ destination, path, interface: name, member, signature, body })
  message.serial = serial
  return message
}

/** The bus ends the whole connection over a message that is malformed, so that none is sent. */
function sendable({ member, path, signature = '', body = [] }: BusCall): void {
  demand(`${member}: path`, path, objectPath)
  body.forEach((value, at) => {
    if (signature.startsWith('o') && at === 0) demand(`${member}: path`, value, objectPath)
    else if (typeof value === 'string') demand(`${member}: argument ${at + 1}`, value, withoutNul)
  })
}

const objectPath = matching(/^\/(?:\w+(?:\/\w+)*)?$/, 'an object path')
const withoutNul = matching(/^[^\0]*$/, 'text without the character NUL')

function refusal(call: BusCall, message: Message): SupplicantError {
  const dbus = message.errorName
  const text = typeof message.body[0] === 'string' ? message.body[0] : 'no reason given'
  return new SupplicantError(ERRORS[dbus] ?? 'refused', `${call.member}: ${text} (${dbus})`, { dbus })
}

// The library announces no closed connection, so its stream is watched; it is not part of its types.
function streamOf(bus: MessageBus): Duplex | undefined {
  return (bus as unknown as { _connection: { stream?: Duplex } })._connection.stream
}

// 'error' is emitted but missing from the library's types; without a listener it would end the process.
function onError(bus: MessageBus, listener: (error: unknown) => void): () => void {
  const emitter = bus as unknown as NodeJS.EventEmitter
  emitter.on('error', listener)
  return () => emitter.off('error', listener)
}
