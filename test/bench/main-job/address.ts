/** When the sensor got its address in the tested network: the kernel's own notice, the same for whoever asked for it. */
import type { Daemon } from '../../lab/daemon.ts'
import type { Lab } from '../../lab/lab.ts'
import { subnets } from '../../lab/topology.ts'

/** What every contender runs on. */
export interface Bench {
  lab: Lab
  addresses: AddressWatch
  /** To be awaited when all is prepared, before the time begins: what was started has come to rest. */
  settled: () => Promise<void>
}

/** An address for documentation (RFC 5737), which nobody is given. */
const probe = '192.0.2.1/32'

export class AddressWatch {
  readonly #monitor: Daemon

  private constructor(monitor: Daemon) {
    this.#monitor = monitor
  }

  /** `ip -ts monitor` stamps what the kernel tells it, with the clock that both sides start by. */
  static async start(lab: Lab): Promise<AddressWatch> {
    const monitor = await lab.site.daemon({
      name: 'addresses',
      role: 'sensor',
      command: 'ip',
      args: ['-4', '-ts', '-o', 'monitor', 'address', 'dev', 'eth0'],
      // It does not say when it listens: an address comes and goes until it is heard.
      ready: async started => {
        while (started.output.end === 0)
          for (const verb of ['add', 'del'])
            await lab.exec('sensor', 'ip', ['addr', verb, probe, 'dev', 'eth0'])
      },
    })
    return new AddressWatch(monitor)
  }

  /** Take it before the work begins. */
  get end(): number {
    return this.#monitor.output.end
  }

  /** Milliseconds since the epoch of the first address of the tested network on eth0 from line `since` on. */
  async leased(since: number): Promise<number> {
    const sentence = 'eth0 has an address of the tested network'
    const [, at = ''] = await this.#monitor.waitFor(added, sentence, 60_000, since)
    return Date.parse(at)
  }
}

const added = new RegExp(`^\\[([^\\]]+)\\] \\d+: .* inet ${subnets.tested.replaceAll('.', '\\.')}\\.`)
