import { Attempt } from './attempt.ts'
import type { PathError } from './errors.ts'
import type { Lease } from './lease.ts'
import { checkInterfaceName } from './routing.ts'
import type { UdhcpcOptions } from './udhcpc.ts'

export interface DhcpOptions extends Omit<UdhcpcOptions, 'address'> {
  /** From `kick` to the first lease; 14 s unless told, which leaves a second of 15 to find out why there is none. */
  leaseDeadlineMs?: number
  /** From `kick` to a carrier; 5 s unless told: copper takes up to 4 s to negotiate. */
  carrierDeadlineMs?: number
}

/** What happens to a lease once it is there. */
export interface LeaseWatcher {
  /** The same address again, perhaps with another gateway or other servers. */
  renewed: (lease: Lease) => void
  lost: (error: PathError) => void
}

/** A DHCP client that stands ready before the port opens. */
export interface DhcpAttempt extends AsyncDisposable {
  readonly interface: string
  /** Kernel settings that could not be made for want of rights, e.g. `net.ipv6.conf.eth0.disable_ipv6`. */
  readonly notInForce: readonly string[]
  /** The client waits for `kick`, a few ms after the start. Rejects as `lease` does; nobody has to wait for it. */
  readonly ready: Promise<void>
  /** The port will open soon: everything that comes before the DISCOVER is done. Nothing is sent. */
  arm: () => void
  /** The port has opened: DISCOVER leaves now, and again after ever longer pauses until it is answered. Starts the deadline; a second time it has no effect. */
  kick: () => void
  /** The first lease. Rejects with a PathError `dhcp-no-offer`, `dhcp-no-ack`, `dhcp-bad-lease`, `no-carrier`, `dhcp-client-*`, or the signal's reason. */
  lease: (signal: AbortSignal) => Promise<Lease>
  watch: (watcher: LeaseWatcher) => void
  /** Asks the server to renew now. */
  renew: () => void
  /** DHCPRELEASE; resolves when it has been sent, after 300 ms at the latest. */
  release: () => Promise<void>
}

/**
 * Starts the DHCP client on an interface without sending anything: call it while 802.1X is still under way, and `kick` when it
 * has completed. `interfaceName` must be an existing interface that is up.
 */
export const startDhcp = (interfaceName: string, options: DhcpOptions = {}): DhcpAttempt =>
  new Attempt(checkInterfaceName(interfaceName), options)
