/** Runs in the virtual machine: the agent as it is installed, on simulated radios, with real servers behind them. */
import { readFile } from 'node:fs/promises'
import { run } from '../../lab/command.ts'
import type { Daemon } from '../../lab/daemon.ts'
import type { Sensor } from '../../lab/sensor.ts'
import { program, type Scene, scenario } from './scenario.ts'
import type { AirStroke } from '../strokes.ts'
import { Struck } from './strikes.ts'
import { country, listen, networkOf, office, patience, World } from './world.ts'

type Profiles = Awaited<ReturnType<World['profiles']>>
type AccessPoints = Awaited<ReturnType<World['accessPoints']>>

/** hostapd's word for an EAP method that it proposed: its IANA number. */
const proposed = (method: number): RegExp => new RegExp(`EAP-PROPOSED-METHOD vendor=0 method=${method}$`)
const [TLS, PEAP] = [13, 25]

class Story {
  readonly world: World
  readonly sensor: Sensor
  readonly points: AccessPoints
  readonly profiles: Profiles
  #version = 0

  constructor(world: World, sensor: Sensor, points: AccessPoints, profiles: Profiles) {
    this.world = world
    this.sensor = sensor
    this.points = points
    this.profiles = profiles
  }

  /** The networks that the sensor is to test, each assigned for the first time. */
  async assign(...networks: string[]): Promise<void> {
    this.#version += 1
    const assigned = networks.map(network => ({ network, assignment: 'first' }))
    await this.world.operator.desired(this.sensor.id, {
      ...{ schema: 1, version: this.#version, networks: assigned },
    })
  }

  async publish(...names: (keyof Profiles)[]): Promise<void> {
    for (const name of names) await this.world.operator.network(name, this.profiles[name])
  }

  /** S2-05, S2-15, S2-17, S2-18. */
  async enrols(scene: Scene): Promise<void> {
    const { world, sensor, points } = this
    const said = listen(world, sensor)
    await this.publish('onboarding', 'corp')
    await this.assign('corp')
    const joined = await said.named('joined', 'onboarding')
    scene.comment(JSON.stringify(joined.data))
    await said.named('step-done', 'corp')
    const report = await said.reported(
      document => networkOf(document, 'corp')?.lastTest?.passed === true,
      'corp is joined and tested',
    )
    const rules = await world.air.site.spaces.exec('sensor', 'iw', ['reg', 'get'])
    scene.match(rules, new RegExp(`country ${country}:`), 'the radio obeys the country of the settings')
    const before = await world.counters()
    scene.ok(before.enroll.scep > 0, 'the certificate came over the enrollment network')
    scene.is(before.management.scep, 0, 'not over the cable')
    await points.office.waitFor(proposed(TLS), 'the tested network asks for EAP-TLS', patience)
    const issued = await world.scep.issued()
    scene.is(issued.length, 1, 'one certificate was issued')
    scene.is(
      networkOf(report, 'corp')?.certificate?.serial.toUpperCase(),
      issued[0]?.serial,
      'it is the one in use',
    )
  }

  /** S2-73. */
  async bootstraps(scene: Scene): Promise<void> {
    const { world, sensor, points } = this
    const said = listen(world, sensor)
    const since = points.home.output.end
    await world.readyKey(sensor.state)
    await this.publish('bootstrap', 'one')
    await this.assign('corp', 'one')
    await said.reported(document => networkOf(document, 'one')?.lastTest?.passed === true, 'it is tested')
    const methods = points.home.output
      .since(since)
      .flatMap(line => [PEAP, TLS].filter(method => proposed(method).test(line)))
    scene.is(methods, [PEAP, TLS], 'one SSID: first by PEAP, then by EAP-TLS')
    scene.is((await world.scep.issued()).length, 2, 'with a certificate of its own (S2-78)')
    await this.assign('corp')
    await said.reported(document => networkOf(document, 'corp')?.phase === 'joined', 'back on corp')
  }

  /** S2-79, S2-81. */
  async distrusts(scene: Scene): Promise<void> {
    const { world, sensor } = this
    const said = listen(world, sensor)
    const { corp } = this.profiles
    const other = await readFile(world.air.pki.otherRoot, 'utf8')
    await world.operator.network('corp', {
      ...corp,
      eap: { ...corp.eap, serverCa: [other], serverCaOnly: true },
    })
    const report = await said.reported(
      document => networkOf(document, 'corp')?.problem !== undefined,
      'the failure is reported',
    )
    const problem = networkOf(report, 'corp')?.problem
    scene.is(problem?.title, '802.1X failed with unknown CA', 'the title, letter for letter')
    scene.is(problem?.detail, 'local TLS alert: Unknown CA', 'the detail, letter for letter')
    scene.is(problem?.side, 'configuration', 'and whose turn it is')
    const corrected = listen(world, sensor)
    await this.publish('corp')
    const { data } = await corrected.named('joined', 'corp')
    const stages = data?.['stages'] as Record<string, number>
    scene.is(stages['scanning'], undefined, 'the network is found where it was met, without a full scan')
    await corrected.reported(document => networkOf(document, 'corp')?.phase === 'joined', 'joined again')
    scene.ok(true, 'a corrected profile is tried at once')
  }

  /** The access point dies, and nobody takes over: the sensor says so, and joins when there is one again, before its next try is due. */
  async loses(scene: Scene): Promise<void> {
    const { world, sensor, points } = this
    const said = listen(world, sensor)
    await points.office.stop()
    await said.named('lost', 'corp')
    scene.ok(true, 'the loss is reported')
    await world.air.group(office, 2)
    await points.office.start()
    const { data: failure } = await said.named('step-failed', 'corp')
    const back = listen(world, sensor)
    await world.air.group(office, 1)
    const problem = failure?.['problem'] as { code: string } | undefined
    // The supplicant may try what it heard a moment ago.
    const isMissed = ['not-found', 'access-point-lost'].includes(problem?.code ?? '')
    scene.ok(isMissed, 'it is reported as not there', { problem })
    const { at } = await back.named('step-started', 'corp')
    const due = Number(failure?.['nextTry'])
    scene.ok(Date.parse(at) < due, 'it is joined before the next try is due', { at, due })
    await back.named('leased', 'corp')
    await back.reported(document => networkOf(document, 'corp')?.phase === 'joined', 'joined again')
    scene.ok(true, 'it is joined again when the access point is back')
    scene.is((await world.scep.issued()).length, 2, 'with the certificate it had')
  }

  /** S2-51, S2-53: nobody is left who could give a certificate but the tested network itself. */
  async renews(scene: Scene): Promise<void> {
    const { world, sensor, points } = this
    const said = listen(world, sensor)
    await points.home.stop()
    const before = await world.counters()
    await run('date', ['--set', '+190 days'])
    await said.named('certificate-in-use', 'corp')
    const after = await world.counters()
    scene.ok(after.tested.scep > before.tested.scep, 'the new certificate came over the tested network')
    scene.is(after.enroll.ip, before.enroll.ip, 'the enrollment network saw not one packet')
    scene.is(after.management.scep, 0, 'nor did the cable')
    const issued = await world.scep.issued()
    scene.is(issued.length, 3, 'one more certificate was issued')
    const report = await said.reported(
      document =>
        networkOf(document, 'corp')?.certificate?.serial.toUpperCase() === issued.at(-1)?.serial &&
        networkOf(document, 'corp')?.phase === 'joined',
      'the new certificate is reported in use',
    )
    const end = Date.parse(networkOf(report, 'corp')?.certificate?.notAfter ?? '')
    scene.ok(end > Date.now() + 300 * 86_400_000, 'it is valid for a year from now', { end })
  }

  /** From here on the office asks a RADIUS server. */
  async asksElsewhere(): Promise<Struck> {
    const said = listen(this.world, this.sensor)
    await this.points.office.stop()
    await said.named('lost', 'corp')
    return Struck.begin(this.world, this.sensor, this.profiles.corp)
  }
}

/** What befalls the agent in the end. */
const strokes = JSON.parse(process.argv[3] ?? '[]') as AirStroke[]

const chapters: [string, (story: Story, scene: Scene) => Promise<void>][] = [
  [
    'S2-05, S2-15, S2-17, S2-18: the agent enrols over a WPA3-SAE network and joins WPA2-Enterprise by EAP-TLS with the certificate issued',
    (story, scene) => story.enrols(scene),
  ],
  [
    'S2-73, S2-78: one SSID, by PEAP to get the certificate and by EAP-TLS to be tested',
    (story, scene) => story.bootstraps(scene),
  ],
  [
    'S2-79, S2-81: a RADIUS server of another CA is reported letter for letter',
    (story, scene) => story.distrusts(scene),
  ],
  [
    'an access point that is gone is met when it comes back, not at the next try',
    (story, scene) => story.loses(scene),
  ],
  [
    'S2-51, S2-53: the clock jumps past half of the validity, and the certificate is renewed over the tested network',
    (story, scene) => story.renews(scene),
  ],
]

/** Each goes on from where the one before it ended; resolves with whether the last was reached, and went well. */
async function inTurn(all: (() => Promise<boolean>)[]): Promise<boolean> {
  for (const one of all) if (!(await one())) return false
  return true
}

async function isStruck(story: Story, logs: () => string): Promise<void> {
  const struck: Struck[] = []
  await scenario('the tested network is joined by way of a RADIUS server', logs, async scene => {
    struck.push(await story.asksElsewhere())
    scene.ok(true, 'it is')
  })
  for (const one of struck)
    for (const stroke of strokes) {
      const name = `${stroke.cause} at ${stroke.stage} of a join: reported, and joined again by the same process`
      await scenario(name, logs, scene => one.strike(scene, stroke))
    }
  // One stroke tells nothing of it.
  if (strokes.length < 10) return
  await scenario('the memory of the agent is flat over all of that', logs, scene => {
    for (const one of struck) one.memoryIsFlat(scene)
    return Promise.resolve()
  })
}

program(async () => {
  await using world = await World.raise()
  const points = await world.accessPoints()
  const sensor = await world.sensor('sensor-1')
  const story = new Story(world, sensor, points, await world.profiles())
  const daemons = (): readonly Daemon[] => world.air.site.daemons
  const logs = (): string =>
    daemons()
      .map(one => `--- ${one.name}\n${one.output.tail(one === sensor.process ? 120 : 30)}`)
      .join('\n')
  const whole = await inTurn(
    chapters.map(
      ([name, act]) =>
        () =>
          scenario(name, logs, scene => act(story, scene)),
    ),
  )
  if (whole && strokes.length > 0) await isStruck(story, logs)
  await sensor.stop()
})
