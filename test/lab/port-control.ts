import type { Daemon } from './daemon.ts'
import { closed, open, type Port, type Segment } from './topology.ts'

/** Who hostapd has authenticated on a port. */
export type Session = { identity: string; method: string }

/** What became of a port: `at` is performance.now() when the bridge had done it, `ms` what that took since hostapd's word. */
export type PortEvent = { at: number; port: string } & (
  | { state: 'open'; segment: Segment; session: Session; ms: number }
  | { state: 'closed' }
  | { state: 'failed'; error: string }
)

/** EAP-TLS clients belong to the tested network, users of a password (PEAP, TTLS) to the enrollment network. */
export function segmentOf(session: Session): Segment {
  return session.method === 'TLS' ? 'tested' : 'enroll'
}

const identity =
  /IEEE 802\.1X: (?:STA identity|old identity .* updated with User-Name from Access-Accept) '(.*)'$/
const proposed = /IEEE 802\.1X: decapsulated EAP packet .*: EAP-Request-(\S+) \(\d+\)$/
const loggedOff = 'IEEE 802.1X: received EAPOL-Logoff from STA'
const dismissed = 'MLME: MLME-DEAUTHENTICATE.indication'
const verdict = /IEEE 802\.1X: (authorizing|unauthorizing) port$/

/** What a port asks of its switch. */
export type PortCalls = {
  /** The segment of whoever authenticated. */
  assign(session: Session): Segment
  tell(event: PortEvent): void
  /** hostapd shall forget who was there and begin anew. */
  afresh(): Promise<void>
  /** Waits 5 s after a failed authentication before anybody is answered, as hostapd does by itself. */
  quiet: boolean
}

/**
 * The part of a switch that hostapd's wired driver leaves out: it moves the bridge port into the segment of whoever
 * authenticated and opens it, and locks it when hostapd says so. It reads hostapd's own log as it is written and has a
 * resident `ip -batch`, so that a port is open a few milliseconds after EAP success.
 */
export class PortControl {
  readonly port: Port
  readonly #ip: Daemon
  readonly #calls: PortCalls
  #session: Session = { identity: '', method: '' }
  #loggedOff = false
  #lockedForGood = false
  #last: Promise<unknown> = Promise.resolve()

  constructor(port: Port, ip: Daemon, calls: PortCalls) {
    this.port = port
    this.#ip = ip
    this.#calls = calls
  }

  /** Never opens the port again, whatever hostapd says. */
  async lockForGood(): Promise<void> {
    this.#lockedForGood = true
    await this.close()
  }

  /** Follows one line of hostapd's log. */
  read(line: string): void {
    const name = identity.exec(line)?.[1]
    if (name !== undefined) this.#session = { ...this.#session, identity: name }
    const method = proposed.exec(line)?.[1]
    if (method !== undefined) this.#session = { ...this.#session, method }
    if (line.endsWith(loggedOff)) this.#loggedOff = true
    // hostapd treats a wired client like a Wi-Fi station that left: for 5 s it would ignore it, also after EAPOL-Logoff.
    if (line.includes(dismissed) && (this.#loggedOff || !this.#calls.quiet)) {
      this.#loggedOff = false
      this.#later(this.#calls.afresh())
    }
    const said = verdict.exec(line)?.[1]
    if (said === 'authorizing' && !this.#lockedForGood) this.#later(this.#open(this.#session))
    // A switch that starts locks its ports.
    if (said === 'unauthorizing' || line.includes('AP-ENABLED')) this.#later(this.close())
  }

  /** Nobody awaits what a log line caused; a bridge that refuses must not go unseen. */
  #later(change: Promise<void>): void {
    change.catch((error: unknown) =>
      this.#calls.tell({ ...this.#now, state: 'failed', error: String(error) }),
    )
  }

  get #now() {
    return { at: performance.now(), port: this.port.name }
  }

  async #open(session: Session): Promise<void> {
    const from = performance.now()
    const segment = this.#calls.assign(session)
    // Entering another bridge resets the flags to open ones: the port only ever moves for somebody who may enter.
    await this.#do([`${this.#set} master br-${segment}`, `${this.#set} type bridge_slave ${open}`])
    const now = this.#now
    this.#calls.tell({ ...now, state: 'open', segment, session, ms: now.at - from })
  }

  /** Locks the port and forgets the addresses learnt there; a locked port passes frames from a known address. */
  async close(): Promise<void> {
    await this.#do([`${this.#set} type bridge_slave ${closed}`, `${this.#set} type bridge_slave fdb_flush`])
    this.#calls.tell({ ...this.#now, state: 'closed' })
  }

  async setLink(state: 'up' | 'down'): Promise<void> {
    await this.#do([`${this.#set} ${state}`])
  }

  get #set(): string {
    return `link set dev ${this.port.name}`
  }

  /** Runs ip's lines after those before them and resolves when they are done: the answer to the query comes last. */
  async #do(lines: readonly string[]): Promise<void> {
    const turn = this.#last.then(async () => {
      const since = this.#ip.output.end
      this.#ip.write([...lines, `link show dev ${this.port.name}`, ''].join('\n'))
      const shown = new RegExp(`^\\d+: ${this.port.name}@`)
      await this.#ip.waitFor(shown, `ip changes ${this.port.name}`, 2_000, since)
    })
    this.#last = turn.catch(() => undefined)
    return turn
  }
}
