/** A reply lost with the power, at a server that gives a name one certificate only. */
import t from 'tap'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { isWhole } from './credential.ts'
import { documentsWith, problem, publish, tested } from './scene.ts'

t.test(
  'a server that does not renew yet refuses the second request: issued-but-lost, and the way out',
  async t => {
    await using lab = await raise(t, { scep: { allowRenew: 14 } })
    await publish(lab, await documents(lab))
    const sensor = await lab.sensor({ environment: { SONDE_KILL_AT: 'scep reply' } })
    await sensor.process.ended
    await sensor.start({ SONDE_KILL_AT: '' })
    t.match(await problem(sensor, 'corp', 15_000), {
      code: 'issued-but-lost',
      title: 'A certificate was probably issued, but its reply was lost',
      detail: /sent again and refused/,
      hint: /-allowrenew 0/,
      side: 'server',
    })
    t.equal((await lab.scep.issued()).length, 1, 'one certificate was issued')
    await publish(lab, await documentsWith(lab, {}, { subject: { commonName: '{serial}-again' } }))
    await tested(sensor)
    const issued = await lab.scep.issued()
    t.strictSame(
      issued.map(({ subject }) => subject),
      ['CN=sensor-1', 'CN=sensor-1-again'],
    )
    await isWhole(t, sensor, issued)
  },
)
