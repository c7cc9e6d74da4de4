import type { Test } from 'tap'
import { asReported, eventsOf } from '../main-job/scene.ts'
import { settledOn } from './scene.ts'
import type { Instruction } from './scep.ts'

/** Lets a certificate of minutes be renewed by itself, again and again, and looks at what each time costs. */
export async function renewInARow(t: Test, times: number, instruction: Instruction): Promise<void> {
  await using scene = await settledOn(t, instruction, { renewal: { percent: 1 } })
  const { lab, scep, sensor } = scene
  const before = {
    logins: lab.radius.logins().length,
    counters: await lab.counters(),
    issued: scep.issued.length,
  }
  const gaps: number[] = []
  let mark = scene.mark()
  for (let count = 0; count < times; count += 1) {
    const { lease } = await mark.inUse(60_000)
    gaps.push(Number(lease.data?.['gapMs']))
    mark = scene.mark()
  }
  const after = await lab.counters()
  const logins = lab.radius.logins().slice(before.logins)
  const serials = new Set(logins.map(({ serial }) => serial))
  t.comment(`${String(times)} renewals; gaps without an address: ${gaps.join(', ')} ms`)
  t.ok(
    gaps.every(gap => gap > 0 && gap < 5_000),
    `every gap is measured and short: ${gaps.join(', ')} ms`,
  )
  t.equal(serials.size, logins.length, 'one login for each new certificate')
  t.ok(
    logins.length >= times && logins.every(({ accepted }) => accepted),
    `${String(logins.length)} logins, none refused`,
  )
  t.equal(
    new Set(scep.issued.map(each => each.publicKey.export({ type: 'spki', format: 'pem' }))).size,
    scep.issued.length,
    'a new key each time',
  )
  t.strictSame(
    [...new Set(scep.messages.slice(1).map(({ messageType }) => messageType))],
    ['17'],
    'every one by RenewalReq',
  )
  t.equal(after.enroll.ip, before.counters.enroll.ip, 'not one packet on br-enroll')
  t.equal(after.management.scep + after.management.dns, 0, 'neither SCEP nor DNS on eth1')
  const bad = eventsOf(sensor).filter(({ event }) => ['lost', 'step-failed', 'disconnected'].includes(event))
  t.strictSame(bad, [], 'nothing was lost, nothing failed')
  const report = asReported(
    await sensor.reported(() => true, 'there is a report', 1_000, lab.operator.messages.end - 50),
  )
  t.match(report.networks['corp'], { renewal: { rule: '1 percent of the validity' } })
}
