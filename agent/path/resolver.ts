import { Resolver } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { checkpoint } from '../checkpoint.ts'
import { PathError } from './errors.ts'

export interface ResolverOptions {
  /** Called for every lookup: a renewed lease may bring other servers. */
  servers: () => readonly string[]
  /** Domains in which a name without a dot is looked up before it is by itself. */
  search: () => readonly string[]
  localAddress: string
  /** Rejects when packets to `address` would leave on another interface. */
  verify: (address: string) => Promise<void>
  /** For a whole lookup over all servers, in ms. */
  deadlineMs: number
}

/** IPv4 addresses of `name` from the network's own name servers. Literal addresses pass through, IPv6 is refused. */
export async function resolve(name: string, options: ResolverOptions): Promise<string[]> {
  const family = isIP(name)
  if (family === 4) return [name]
  if (family === 6) throw new PathError('ipv6-unsupported', `${name} is an IPv6 address`)
  const servers = await reached(options.servers(), name, options)
  checkpoint(`resolve ${name}`)
  // One resolver a lookup: cancelling it at the deadline touches no other.
  const resolver = new Resolver({ timeout: 1_000, tries: 2 })
  resolver.setServers(servers)
  resolver.setLocalAddress(options.localAddress)
  const deadline = setTimeout(() => {
    resolver.cancel()
  }, options.deadlineMs)
  const names = name.includes('.') ? [name] : [...options.search().map(domain => `${name}.${domain}`), name]
  try {
    return await firstThere(names, resolver)
  } catch (error) {
    // What is said is about the first of them: the one that was most likely meant.
    throw await explain(error, names[0] ?? name, servers, resolver)
  } finally {
    clearTimeout(deadline)
  }
}

/** The addresses of the first of the names that has any. Rejects with what was answered to the first, or with the silence that ended it. */
async function firstThere(names: readonly string[], resolver: Resolver): Promise<string[]> {
  let first: unknown
  for (const name of names) {
    try {
      return await resolver.resolve4(name)
    } catch (error) {
      if (isSilence(codeOf(error))) throw error
      first ??= error
    }
  }
  throw first
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

const isSilence = (code: string): boolean => ['ETIMEOUT', 'ECANCELLED', 'ECONNREFUSED'].includes(code)

/** Those of the addresses that packets would go to over this interface: one that cannot be reached is no reason not to try another. */
async function reached(
  addresses: readonly string[],
  name: string,
  options: ResolverOptions,
): Promise<string[]> {
  const verified = await Promise.allSettled(addresses.map(address => options.verify(address)))
  const [first] = verified.flatMap(one => (one.status === 'rejected' ? [one.reason as PathError] : []))
  const among = addresses.filter((_, place) => verified[place]?.status === 'fulfilled')
  if (among.length > 0) return among
  throw first ?? new PathError('dns-none', `${name} cannot be resolved`)
}

async function explain(
  cause: unknown,
  name: string,
  servers: readonly string[],
  resolver: Resolver,
): Promise<PathError> {
  const code = codeOf(cause)
  const asked = `${name} at ${servers.join(', ')}`
  if (isSilence(code)) return new PathError('dns-timeout', `${asked}: ${code}`, { cause })
  switch (code) {
    case 'ENOTFOUND':
      return new PathError('dns-not-found', asked, { cause })
    case 'ENODATA': {
      const six = await resolver.resolve6(name).catch(() => [])
      return six.length > 0
        ? new PathError('ipv6-unsupported', `${name} has only ${six.join(', ')}`, { cause })
        : new PathError('dns-not-found', `${asked}: no A record`, { cause })
    }
    default:
      return new PathError('dns-failed', `${asked}: ${code || String(cause)}`, { cause })
  }
}

/** The same in the form that `net.connect` and `http.request` take; every address it gives has been verified. */
export function lookupOver(options: ResolverOptions): LookupFunction {
  return (name, { all, family }, callback) => {
    const wanted = family === 6 || family === 'IPv6' ? Promise.reject(onlySix(name)) : resolve(name, options)
    wanted
      .then(addresses => reached(addresses, name, options))
      .then(
        addresses => {
          if (all === true)
            callback(
              null,
              addresses.map(address => ({ address, family: 4 })),
            )
          else callback(null, addresses[0] ?? '', 4)
        },
        (error: unknown) => {
          callback(error as NodeJS.ErrnoException, '')
        },
      )
  }
}

const onlySix = (name: string): PathError =>
  new PathError('ipv6-unsupported', `an IPv6 address of ${name} was asked for`)
