/** What befalls the agent at a stage of a join on the air, and what it has to say of it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Daemon } from '../../lab/daemon.ts'
import type { Document, Sensor } from '../../lab/sensor.ts'
import { Holdings } from '../../lab/supplicant/held.ts'
import { AIR_STAGES } from '../../lab/supplicant/stages.ts'
import type { AirStroke } from '../strokes.ts'
import { offers } from './access-point.ts'
import { station } from './air.ts'
import type { Scene } from './scenario.ts'
import { listen, networkOf, office, patience, type World } from './world.ts'

const secret = 'testing123'

/** hostapd as the RADIUS server that an access point asks, on the switch's loopback. */
async function radiusServer({ air, scep }: World): Promise<Daemon> {
  const { folder } = air.site
  const clients = join(folder, 'radius-clients')
  await writeFile(clients, `127.0.0.1/32 ${secret}\n`)
  const file = join(folder, 'radius.conf')
  const files = `ca_cert=${scep.ca}\nserver_cert=${air.eap.certificate}\nprivate_key=${air.eap.key}`
  await writeFile(
    file,
    `interface=radius
driver=none
radius_server_clients=${clients}
radius_server_auth_port=1812
eap_server=1
eap_user_file=${join(folder, 'users')}
${files}
`,
  )
  return air.site.daemon({
    ...{ name: 'hostapd-radius', role: 'switch', command: 'hostapd', args: ['-t', file] },
    ready: /AP-ENABLED/,
  })
}

/** The access point of the office, which leaves the authentication to a RADIUS server. */
async function askingPoint({ air }: World): Promise<Daemon> {
  const lines = {
    ...{ ...offers.wpa2Enterprise, ieee8021x: 1, own_ip_addr: '127.0.0.1' },
    ...{ auth_server_addr: '127.0.0.1', auth_server_shared_secret: secret },
  }
  const ssid = { ssid: 'a-corp', lines, segment: 'tested' as const, server: 'elsewhere' as const }
  return air.accessPoint({ name: office, channel: 6, ssids: [ssid] })
}

const isJoined = (report: Document): boolean => networkOf(report, 'corp')?.phase === 'joined'

const withoutSupplicant = (report: Document): boolean =>
  (report['interfaces'] as Record<string, { supplicant?: boolean }>)[station]?.supplicant === false

const blames =
  (...codes: string[]) =>
  (report: Document): boolean =>
    codes.includes(networkOf(report, 'corp')?.problem?.code ?? '')

interface Stroke {
  strike: () => Promise<void>
  repair: () => Promise<void>
  /** What has to be reported meanwhile. */
  reported: (report: Document) => boolean
}

function strokes({ air }: World, radius: Daemon): Record<AirStroke['cause'], Stroke> {
  return {
    'supplicant killed': {
      strike: () => air.supplicant.stop('SIGKILL'),
      repair: () => air.supplicant.start(),
      reported: withoutSupplicant,
    },
    'bus killed': {
      strike: () => air.bus.daemon.stop('SIGKILL'),
      repair: async () => {
        await air.supplicant.stop()
        await air.bus.daemon.start()
        await air.supplicant.start()
      },
      reported: withoutSupplicant,
    },
    'access point gone': {
      strike: () => air.group(office, 2),
      repair: () => air.group(office, 1),
      reported: blames('not-found', 'access-point-lost', 'association-rejected'),
    },
    // A stroke that comes too late lets the join succeed.
    'RADIUS dead': {
      strike: () => radius.stop('SIGKILL'),
      repair: () => radius.start(),
      reported: report => isJoined(report) || blames('radius-silent', 'eap-stalled')(report),
    },
  }
}

/** Milliseconds after which a connection that is not kept open for good has been closed, in an emulated machine. */
const still = 5_000

/** The agent on a network whose access point leaves the authentication to a RADIUS server; each stroke begins joined, and ends so. */
export class Struck {
  readonly #world: World
  readonly #sensor: Sensor
  readonly #profile: { eap: object }
  readonly #strokes: Record<AirStroke['cause'], Stroke>
  readonly #pid: number | undefined
  readonly #holdings: Holdings
  #changes = 0

  private constructor(world: World, sensor: Sensor, profile: { eap: object }, radius: Daemon) {
    this.#world = world
    this.#sensor = sensor
    this.#profile = profile
    this.#strokes = strokes(world, radius)
    this.#pid = sensor.process.pid
    const { operator, air } = world
    this.#holdings = new Holdings({ sensor, operator, bus: air.bus.address, still })
  }

  static async begin(world: World, sensor: Sensor, profile: { eap: object }): Promise<Struck> {
    const radius = await radiusServer(world)
    await askingPoint(world)
    const struck = new Struck(world, sensor, profile, radius)
    const said = listen(world, sensor)
    await struck.#change()
    await said.named('leased', 'corp')
    await said.reported(isJoined, 'corp is joined by way of the RADIUS server')
    await struck.#holdings.atRest()
    return struck
  }

  /** The agent joins anew, is struck on the way, says so, and is joined again when the cause is gone: one process, no leak. */
  async strike(scene: Scene, { cause, stage }: AirStroke): Promise<void> {
    const { strike, repair, reported } = this.#strokes[cause]
    const since = this.#world.air.supplicant.output.end
    const struck = listen(this.#world, this.#sensor)
    await this.#change()
    await this.#world.air.supplicant.waitFor(AIR_STAGES[stage], `the join is at ${stage}`, patience, since)
    await strike()
    try {
      await struck.reported(reported, `${cause} is reported`)
    } catch (error) {
      await repair()
      throw error
    }
    const repaired = listen(this.#world, this.#sensor)
    const start = performance.now()
    await repair()
    // A stroke that came too late has let it join before.
    if (!isJoined(this.#last())) await repaired.reported(isJoined, 'it is joined again')
    const seconds = ((performance.now() - start) / 1_000).toFixed(1)
    scene.is(this.#sensor.process.pid, this.#pid, `reported, and joined again ${seconds} s after the repair`)
    const { now, before } = await this.#holdings.atRest()
    scene.is(now, before, 'no match rule, file, timer or listener is left behind')
  }

  /** To be asked after many strokes. */
  memoryIsFlat(scene: Scene): void {
    const { half, last } = this.#holdings.heap
    scene.ok(last - half < 2, `${half.toFixed(1)} MB half-way, ${last.toFixed(1)} MB at the end`)
  }

  #last(): Document {
    const { messages } = this.#world.operator
    const topic = `sonde/sensors/${this.#sensor.id}/reported`
    return messages.since(0).findLast(message => message.topic === topic)?.document as Document
  }

  /** Another block for the supplicant: a new profile is joined at once. */
  async #change(): Promise<void> {
    const fragmentSize = 1_000 + (this.#changes += 1)
    await this.#world.operator.network('corp', {
      ...this.#profile,
      eap: { ...this.#profile.eap, fragmentSize },
    })
  }
}
