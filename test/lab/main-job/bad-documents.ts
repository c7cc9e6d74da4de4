/** Documents that do not validate change nothing and are reported, and a key that cannot be read is named. */
import { readlink, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { folderOf } from './credential.ts'
import { asReported, documentsWith, event, eventsOf, listing, problem, publish, tested } from './scene.ts'

t.test(
  'a profile that does not validate changes nothing; every problem is reported with its path, until a good one comes',
  async t => {
    await using lab = await raise(t)
    const sensor = await lab.sensor()
    const docs = await documents(lab)
    await publish(lab, docs)
    const before = await tested(sensor)
    const since = lab.operator.messages.end
    const bad = {
      ...{ schema: 1, alias: 'Corporate', interfase: 'eth0', wireless: { ssid: 'x', security: 'open' } },
      eap: { ...docs.corp.eap, identity: '{serail}' },
      scep: {
        ...docs.corp.scep,
        url: 'ftp://scep',
        key: 'rsa-512',
        challengePassword: 'canary-secret',
        renewal: {},
      },
    }
    await lab.operator.network('corp', bad)
    const reported = asReported(
      await sensor.reported(
        r => asReported(r).problems.length > 0,
        'the problems are reported',
        5_000,
        since,
      ),
    )
    const paths = reported.problems.map(({ path }) => path)
    const expected = ['interfase', 'eap', 'eap.identity', 'scep.url', 'scep.key', 'scep.renewal.when']
    for (const path of expected) t.ok(paths.includes(path), `${path} is among ${paths.join(' ')}`)
    for (const { topic, message } of reported.problems)
      t.match({ topic, message }, { topic: /networks\/corp$/, message: /\w/ })
    t.match(
      reported.problems.find(({ path }) => path === 'interfase')?.hint,
      /interface/,
      'what may have been meant',
    )
    t.notMatch(JSON.stringify(reported), /canary-secret/)
    t.strictSame(reported.applied, before.applied, 'the last good document stays in force')
    t.equal(reported.networks['corp']?.phase, 'joined', 'the network stays joined')
    await lab.operator.network('corp', { ...docs.corp, alias: 'Corrected' })
    const after = await sensor.reported(
      r => asReported(r).problems.length === 0 && asReported(r).networks['corp']?.alias === 'Corrected',
      'the corrected document is in force',
      5_000,
      lab.operator.messages.end,
    )
    t.equal(asReported(after).networks['corp']?.phase, 'joined', 'without a new login')
    const joins = eventsOf(sensor).filter(({ event, network }) => event === 'joined' && network === 'corp')
    t.equal(joins.length, 1)
  },
)

t.test(
  'a sensor document that does not validate changes nothing; every problem is reported with its path',
  async t => {
    await using lab = await raise(t)
    const sensor = await lab.sensor()
    await publish(lab, await documents(lab))
    const before = await tested(sensor)
    const since = lab.operator.messages.end
    const five = ['a', 'b', 'c', 'd', 'e'].map(network => ({ network, assignment: 'x' }))
    await lab.operator.desired('sensor-1', {
      schema: 1,
      version: 'two',
      networks: five,
      testEvery: 1,
      nmae: 'x',
    })
    const reported = asReported(
      await sensor.reported(
        r => asReported(r).problems.length > 0,
        'the problems are reported',
        5_000,
        since,
      ),
    )
    const paths = reported.problems.map(({ path }) => path).sort()
    t.strictSame(paths, ['networks', 'nmae', 'testEvery', 'version'], 'S2-75: and four networks at most')
    t.strictSame(reported.applied, before.applied)
    t.equal(reported.networks['corp']?.phase, 'joined')
    await lab.operator.desired('sensor-1', listing(['corp'], { version: 2, name: 'Corrected' }))
    await sensor.reported(
      r => asReported(r).problems.length === 0 && asReported(r).applied.desired?.version === 2,
      'the corrected document is in force',
      5_000,
      since,
    )
  },
)

const damages: Record<string, (key: string) => Promise<void>> = {
  'is gone': key => rm(key),
  'is not a key': key => writeFile(key, 'not a key\n'),
}

for (const [what, damage] of Object.entries(damages))
  t.test(
    `a private key that ${what} is reported within 5 s, and a new certificate obtained by itself`,
    async t => {
      await using lab = await raise(t)
      const sensor = await lab.sensor()
      await publish(lab, await documents(lab))
      await tested(sensor)
      await sensor.stop()
      const generation = await readlink(join(folderOf(sensor), 'current'))
      await damage(join(folderOf(sensor), generation, 'key.pem'))
      const since = lab.operator.messages.end
      await sensor.start()
      const started = performance.now()
      const said = await event(
        sensor,
        ({ event }) => event === 'credential-damaged',
        'the damage is said',
        10_000,
        since,
      )
      t.ok(performance.now() - started < 5_000, 'within 5 s of the start')
      t.match(said, {
        network: 'corp',
        data: {
          problem: {
            ...{
              code: 'credential-damaged',
              side: 'sensor',
              title: /./,
              detail: /^key\.pem of corp cannot be read$/,
            },
            hint: /replace it$/,
          },
        },
      })
      const { networks } = await tested(sensor, 'corp', 15_000, since)
      t.match(networks['corp']?.notices, [{ code: 'credential-damaged', severity: 'error' }])
      t.equal((await lab.scep.issued()).length, 2)
    },
  )

t.test(
  'the waits between tries are 5 s and 10 s, 20 % more or less, then 20 s; a changed document ends them',
  async t => {
    await using lab = await raise(t)
    await lab.scep.stop()
    const sensor = await lab.sensor()
    await publish(lab, await documents(lab))
    await problem(sensor, 'corp', 40_000, 0, ({ count }) => count === 3)
    const of = (kind: string): number[] =>
      eventsOf(sensor).flatMap(({ event, at, data }) =>
        event === kind && data?.action === 'enroll' ? [Date.parse(at)] : [],
      )
    // The report may overtake what happened.
    await sensor.event(() => of('step-failed').length === 3, 'the third try is said', 5_000)
    const [starts, fails] = [of('step-started'), of('step-failed')]
    for (const [index, seconds] of [5, 10].entries()) {
      const waited = ((starts[index + 1] ?? NaN) - (fails[index] ?? NaN)) / 1000
      // Looking takes its time on a busy machine, after the wait.
      t.ok(waited > seconds * 0.8 - 0.1 && waited < seconds * 1.2 + 1, `${waited} s for ${seconds} s`)
    }
    const third = await problem(sensor, 'corp', 1_000, 0, ({ count }) => count === 3)
    const planned = (Date.parse(third.nextTry ?? '') - Date.parse(third.last)) / 1000
    t.ok(planned > 15.9 && planned < 24.1, `the next one is ${planned} s`)
    await lab.scep.start()
    const since = lab.operator.messages.end
    await publish(lab, await documentsWith(lab, { alias: 'Changed' }))
    await tested(sensor, 'corp', 8_000, since)
  },
)
