/** A sensor whose only interface is the tested one: the broker link goes with it from network to network. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import type { Sensor } from '../sensor.ts'
import { isWhole } from './credential.ts'
import { eventsOf, listing, publish, tested } from './scene.ts'

/** Within each epoch the operator heard 1, 2, 3 …; QoS 1 may say one twice. */
function nothingLost(t: Test, sensor: Sensor): void {
  const events = eventsOf(sensor)
  t.ok(events.length > 0)
  for (const epoch of new Set(events.map(event => event.epoch))) {
    const numbers = new Set(events.flatMap(event => (event.epoch === epoch ? [event.number] : [])))
    const all = Array.from({ length: Math.max(...numbers) }, (_, place) => place + 1)
    t.strictSame(
      [...numbers].sort((one, other) => one - other),
      all,
      `${all.length} events, none is missing`,
    )
  }
}

/** The number of the last event that the sensor made, as its disk has it. */
async function lastOnDisk(sensor: Sensor): Promise<number> {
  const lines = (await readFile(join(sensor.state, 'outbox', 'events.jsonl'), 'utf8')).trim().split('\n')
  const numbers = lines.map(line => {
    const { next = 1, n = next - 1 } = JSON.parse(line) as { next?: number; n?: number }
    return n
  })
  return Math.max(...numbers)
}

interface Presence {
  state: string
  at?: string
  until?: string
}

/** Presence in order, without repetitions of a state. */
function presences(lab: Lab, id = 'sensor-1'): Presence[] {
  const said = lab.operator.messages
    .since(0)
    .flatMap(({ topic, document }) =>
      topic === `sonde/sensors/${id}/presence` ? [document as Presence] : [],
    )
  return said.filter(({ state }, place) => state !== said[place - 1]?.state)
}

const presence = (lab: Lab): string[] => presences(lab).map(({ state }) => state)

/** Every planned absence says until when, and the sensor was back by then. */
function keptItsWord(t: Test, lab: Lab): void {
  const said = presences(lab)
  const absences = said.flatMap(({ state, at = '', until = '' }, place) => {
    const back = said[place + 1]?.at
    return state === 'away' && back !== undefined ? [{ at, until, back }] : []
  })
  t.ok(absences.length > 0, `${absences.length} planned absences`)
  for (const { at, until, back } of absences) {
    t.ok(Date.parse(until) > Date.parse(at), `away at ${at} until ${until}`)
    t.ok(Date.parse(back) <= Date.parse(until), `back at ${back}`)
  }
}

t.test(
  'one interface: the first documents come over the enrollment network of the settings, and the link moves along to corp',
  async t => {
    await using lab = await raise(t, { management: false })
    const docs = await documents(lab)
    await publish(lab, docs)
    const sensor = await lab.sensor({
      settings: { bootstrap: { networks: { onboarding: docs.onboarding } } },
    })
    await tested(sensor)
    await isWhole(t, sensor, await lab.scep.issued())
    const { enroll, tested: over } = await lab.counters()
    t.ok(enroll.broker > 0, 'the broker was reached over the enrollment network')
    t.ok(over.broker > 0, 'and over the tested one')
    t.strictSame(presence(lab), ['online', 'away', 'online'])
    keptItsWord(t, lab)
    nothingLost(t, sensor)
    await sensor.stop()
    t.strictSame(presence(lab), ['online', 'away', 'online', 'offline'])
    nothingLost(t, sensor)
    t.equal(eventsOf(sensor).at(-1)?.number, await lastOnDisk(sensor), 'nor the last that was made')
  },
)

t.test(
  'one interface: with the sensor document in the settings too it has its certificate before it has a broker',
  async t => {
    await using lab = await raise(t, { management: false })
    const docs = await documents(lab)
    const { sensor: document, ...networks } = docs
    await lab.silence('enroll', 'broker')
    const mistaken = { ...networks, guest: { ...docs.onboarding, alais: 'Guest' } }
    const sensor = await lab.sensor({ settings: { bootstrap: { networks: mistaken, sensor: document } } })
    const reported = await tested(sensor)
    const mistake = { topic: 'settings bootstrap.networks.guest', path: 'alais', hint: /alias/ }
    t.match(reported.problems, [mistake], 'a mistake elsewhere in the settings is reported')
    const logged = sensor.process.output.since(0).filter(line => line.includes('"alais"'))
    t.match(
      logged.map(line => JSON.parse(line) as object),
      [{ level: 'error', ...mistake }],
      'and logged',
    )
    t.match(reported.networks['corp']?.certificate?.subject, 'CN=sensor-1')
    t.equal((await lab.scep.issued()).length, 1)
    nothingLost(t, sensor)
  },
)

t.test('one interface: two networks take turns, and the link with them', async t => {
  await using lab = await raise(t, { management: false })
  const docs = await documents(lab)
  const guest = { ...docs.onboarding, alias: 'Guest' }
  await publish(lab, { ...docs, guest, sensor: listing(['corp', 'guest'], { testEvery: 10 }) })
  const sensor = await lab.sensor({ settings: { bootstrap: { networks: { onboarding: docs.onboarding } } } })
  for (const network of ['corp', 'guest'])
    await sensor.event(
      e => e['event'] === 'test-passed' && e['network'] === network,
      `${network} is tested`,
      30_000,
    )
  const since = lab.operator.messages.end
  await sensor.event(
    e => e['event'] === 'test-passed' && e['network'] === 'corp',
    'and corp again',
    30_000,
    since,
  )
  t.equal((await lab.scep.issued()).length, 1, 'with one certificate')
  keptItsWord(t, lab)
  nothingLost(t, sensor)
})

t.test('one interface: the power is cut in the middle of the enrolment, and no event is lost', async t => {
  await using lab = await raise(t, { management: false })
  const docs = await documents(lab)
  await publish(lab, docs)
  const environment = { SONDE_KILL_AT: 'scep reply' }
  const settings = { bootstrap: { networks: { onboarding: docs.onboarding } } }
  const sensor = await lab.sensor({ settings, environment })
  await sensor.process.ended
  await sensor.start({ SONDE_KILL_AT: '' })
  await tested(sensor)
  await isWhole(t, sensor, await lab.scep.issued())
  nothingLost(t, sensor)
})
