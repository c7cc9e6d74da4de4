import type { Test } from 'tap'
import { asReported, eventsOf } from '../main-job/scene.ts'
import type { Document } from '../sensor.ts'
import { settledOn } from './scene.ts'
import type { Instruction } from './scep.ts'

/** Of a server without Renewal (B-70). */
const withoutRenewal = 'POSTPKIOperation\nSHA-1\nSHA-256\nAES\n'

/** Lets a certificate of minutes be renewed by itself, again and again, and looks at what each time costs. */
export async function renewInARow(
  t: Test,
  { byRenewalReq, byPkcsReq }: { byRenewalReq: number; byPkcsReq: number },
  instruction: Instruction,
): Promise<void> {
  const times = byRenewalReq + byPkcsReq
  await using scene = await settledOn(t, instruction, { renewal: { when: 'manual' } })
  const { lab, scep, sensor } = scene
  const before = {
    logins: lab.radius.logins().length,
    counters: await lab.counters(),
    issued: scep.issued.length,
    messages: lab.operator.messages.end,
  }
  const gaps: number[] = []
  let mark = scene.mark()
  await scene.change({ renewal: { percent: 1 } })
  for (let count = 0; count < times; count += 1) {
    if (count === byRenewalReq) await scep.tell({ caps: withoutRenewal })
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
  const types = scep.messages.slice(1, times + 1).map(({ messageType }) => messageType)
  const wanted = [...Array<string>(byRenewalReq).fill('17'), ...Array<string>(byPkcsReq).fill('19')]
  t.strictSame(types, wanted, 'by RenewalReq, and by PKCSReq where the server has no Renewal')
  const signers = scep.messages.slice(1, times + 1).map(({ signer }) => signer)
  const replaced = scep.issued.slice(0, times).map(({ fingerprint256 }) => fingerprint256)
  t.strictSame(signers, replaced, 'each signed by the certificate it replaces')
  t.equal(after.enroll.ip, before.counters.enroll.ip, 'not one packet on br-enroll')
  t.equal(after.management.scep + after.management.dns, 0, 'neither SCEP nor DNS on eth1')
  const bad = eventsOf(sensor).filter(({ event }) => ['lost', 'step-failed', 'disconnected'].includes(event))
  t.strictSame(bad, [], 'nothing was lost, nothing failed')
  const isRule = (document: Document): boolean =>
    asReported(document).networks['corp']?.renewal?.rule === '1 percent of the validity'
  await sensor.reported(isRule, 'the rule is reported', 5_000, before.messages)
}
