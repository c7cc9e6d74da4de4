import { connect, type LookupFunction, type Socket } from 'node:net'
import { checkpoint } from '../checkpoint.ts'
import { PathError } from './errors.ts'

/** A connection to an address has this lead before the next one is tried as well (RFC 8305 section 5). */
const lead = 250
/** Less than anybody waits for a connection: what was tried can still be said. */
const longest = 8_000

export interface Trial {
  lookup: LookupFunction
  localAddress: string
  port: number
  /** Told of every connection that is tried. */
  keep: (socket: Socket) => unknown
  /** Milliseconds for all of them together, 8 s unless told. */
  deadlineMs?: number
}

/**
 * The lookup for one connection. Node tries a single address where a local one is given, so of a name with several the one that answers
 * first is chosen here, by a connection that is closed again. A name with one address costs nothing more.
 */
export const lookupAnswering =
  (trial: Trial): LookupFunction =>
  (name, options, callback) => {
    const give = (address: string): void => {
      if (options.all === true) callback(null, [{ address, family: 4 }])
      else callback(null, address, 4)
    }
    trial.lookup(name, { ...options, all: true }, (error, found) => {
      const addresses = error ? [] : [found].flat().map(one => (typeof one === 'string' ? one : one.address))
      const [only = ''] = addresses
      if (error) callback(error, '')
      else if (addresses.length < 2) give(only)
      else
        firstToAnswer(addresses, trial).then(give, (refused: unknown) => {
          callback(refused as NodeJS.ErrnoException, '')
        })
    })
  }

/** Rejects with what became of each address, and with the code of the first. */
function firstToAnswer(addresses: readonly string[], trial: Trial): Promise<string> {
  const { localAddress, port, keep, deadlineMs = longest } = trial
  return new Promise((resolve, reject) => {
    const waiting = [...addresses]
    const failures = new Map<string, NodeJS.ErrnoException>()
    const open = new Set<Socket>()
    let next: NodeJS.Timeout | undefined
    const end = (): void => {
      clearTimeout(next)
      clearTimeout(late)
      for (const socket of open) socket.destroy()
    }
    const fail = (): void => {
      end()
      const codes = addresses.map(address => `${address} ${failures.get(address)?.code ?? 'no answer'}`)
      const [first] = failures.size === addresses.length ? failures.values() : []
      const code = first?.code ?? 'ETIMEDOUT'
      reject(Object.assign(new Error(`tried ${codes.join(', ')}, port ${String(port)}`), { code }))
    }
    const late = setTimeout(fail, deadlineMs)
    const go = (): void => {
      clearTimeout(next)
      const address = waiting.shift()
      if (address === undefined) {
        if (failures.size === addresses.length) fail()
        return
      }
      checkpoint(`connect ${address}`)
      const socket = connect({ host: address, port, localAddress, family: 4 })
      open.add(socket)
      keep(socket)
      socket.once('connect', () => {
        end()
        resolve(address)
      })
      socket.on('error', error => {
        failures.set(address, error)
        if (error instanceof PathError) {
          end()
          reject(error)
        } else go()
      })
      next = setTimeout(go, lead)
    }
    go()
  })
}
