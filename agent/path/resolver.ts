import { Resolver } from 'node:dns/promises'
import { isIP, type LookupFunction } from 'node:net'
import { checkpoint } from '../checkpoint.ts'
import { PathError } from './errors.ts'

export interface ResolverOptions {
  /** Called for every lookup: a renewed lease may bring other servers. */
  servers: () => readonly string[]
  /** Domains that complete a short name. */
  search: () => readonly string[]
  localAddress: string
  /** Rejects when packets to `address` would leave on another interface. */
  verify: (address: string) => Promise<void>
  /** For a whole lookup over all servers, in ms. */
  deadlineMs: number
}

/** As many domains are tried for one name as other resolvers of this kind try (resolv.conf(5)). */
const mostDomains = 6

/**
 * What is asked for a name, in order. One without a dot is completed by the domains of the network, and asked for as it is after them; any other
 * is asked for as it is, so that nothing of it reaches the name servers of a domain that it is not in.
 */
export const candidates = (name: string, search: readonly string[]): string[] =>
  name.includes('.')
    ? [name]
    : [
        ...search
          .slice(0, mostDomains)
          .map(domain => `${name}.${domain}`)
          .filter(whole => whole.length <= 253),
        name,
      ]

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
  const names = candidates(name, options.search())
  try {
    return await firstKnown(names, resolver)
  } catch (error) {
    throw await explain(error, names, servers, resolver)
  } finally {
    clearTimeout(deadline)
  }
}

/** The addresses of the first of the names that has any. Rejects with what was answered to the first, or with a silence. */
async function firstKnown([name = '', ...others]: readonly string[], resolver: Resolver): Promise<string[]> {
  try {
    return await resolver.resolve4(name)
  } catch (error) {
    if (others.length === 0 || isSilence(error)) throw error
    return await firstKnown(others, resolver).catch((later: unknown) => {
      throw isSilence(later) ? later : error
    })
  }
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause ? String(cause.code) : ''

const silences: ReadonlySet<string> = new Set(['ETIMEOUT', 'ECANCELLED', 'ECONNREFUSED'])
const isSilence = (cause: unknown): boolean => silences.has(codeOf(cause))

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
  names: readonly string[],
  servers: readonly string[],
  resolver: Resolver,
): Promise<PathError> {
  const code = codeOf(cause)
  const [name = ''] = names
  const asked = `${names.join(', ')} at ${servers.join(', ')}`
  if (isSilence(cause)) return new PathError('dns-timeout', `${asked}: ${code}`, { cause })
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
