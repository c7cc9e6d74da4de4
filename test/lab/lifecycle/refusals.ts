/** Renewals that fail: the right words, the certificate in force untouched, and the right next time (S2-56..60, S2-66). */
import t from 'tap'
import { asReported, eventsOf, tested, type Reported } from '../main-job/scene.ts'
import { isFailed, settledOn, type Scene } from './scene.ts'
import type { Misdeed } from './scep.ts'

type Corp = Reported['networks'][string] | undefined

/** The first report of corp that fits. */
async function corp(
  { sensor }: Scene,
  wanted: (corp: NonNullable<Corp>) => boolean,
  sentence: string,
  ms = 20_000,
  since = 0,
): Promise<NonNullable<Corp>> {
  const read = (document: object): Corp => asReported(document as never).networks['corp']
  const found = read(await sensor.reported(each => wanted(read(each) ?? ({} as never)), sentence, ms, since))
  if (!found) throw new Error('unreachable: it was chosen')
  return found
}

const renew = (scene: Scene, id: string): Promise<void> =>
  scene.lab.operator.command('sensor-1', { id, command: 'renew', network: 'corp' })

const refusal = {
  title: 'Transaction either not permitted or supported during SCEP renewal',
  detail: 'password might be incorrect',
}

t.test(
  'S2-57, S2-58, S2-59: a password that expired is said so, also by a server that had no time before, and renewed at once when it is changed',
  async t => {
    await using scene = await settledOn(t, {})
    const { scep, lab } = scene
    await scep.tell({ challenge: 'another-password', answers: ['fault'] })
    const busy = scene.mark()
    await renew(scene, 'renew-0')
    const turnedAway = await busy.event(isFailed('renew'), 'the server takes no requests')
    t.match(turnedAway.data?.problem, { code: 'scep-http-status', side: 'server', retry: 'backoff' })
    const first = scene.mark()
    await renew(scene, 'renew-1')
    const failed = await first.event(isFailed('renew'), 'the renewal is refused')
    t.match(failed.data?.problem, { code: 'scep-rejected', ...refusal, side: 'server', retry: 'change' })
    t.equal(failed.data?.problem?.title, refusal.title, 'the title letter for letter')
    t.equal(failed.data?.problem?.detail, refusal.detail, 'the detail letter for letter')
    const reported = await corp(
      scene,
      ({ renewal }) => renewal?.lastFailure?.code === 'scep-rejected',
      'the report says so',
    )
    t.match(reported, {
      phase: 'joined',
      renewal: {
        lastFailure: { ...refusal, count: 2 },
        forecast: /last password accepted on .* failed: Transaction either/,
      },
    })
    const replies = await scene.sensor.heard(
      'replies',
      ({ id }) => id === 'renew-1',
      'the command is answered',
    )
    t.match(replies, { outcome: 'failed', problem: refusal })
    const second = scene.mark()
    const since = lab.operator.messages.end
    await scene.change({ challengePassword: 'another-password' })
    await second.inUse()
    t.ok(
      await corp(
        scene,
        ({ renewal }) => renewal !== undefined && !renewal.lastFailure,
        'and no failure is left',
        20_000,
        since,
      ),
    )
    t.equal(scep.issued.length, 2)
  },
)

t.test(
  'S2-60: expired while the password was wrong, it stops and says so; with the ladder it recovers alone',
  async t => {
    await using scene = await settledOn(t, { validity: 24, backdate: 1000 }, { renewal: { percent: 99 } })
    const { scep, lab } = scene
    await scep.tell({ challenge: 'another-password' })
    const mark = scene.mark()
    await mark.event(isFailed('renew'), 'the renewal is refused')
    const said = await mark.event(({ event }) => event === 'certificate-expired', 'it expired')
    t.match(
      said.text,
      /nothing is renewed any more, last password accepted on .*remove the network .* and add it again/,
    )
    const warnings = eventsOf(scene.sensor).filter(({ event }) => event === 'certificate-expires')
    t.strictSame(
      warnings.map(({ data }) => data?.['threshold']),
      [28, 7, 3, 1],
      'after warnings at 28, 7, 3 and 1 days of a year, scaled to its life',
    )
    t.match(warnings[0]?.text, /renewal due on .*, last password accepted on /)
    t.match(warnings[3]?.text, /; the last attempt on .* failed: Transaction either not permitted/)
    const renewals = (...names: string[]): number =>
      eventsOf(scene.sensor).filter(({ event, data }) => names.includes(event) && data?.action === 'renew')
        .length
    await mark.event(
      () => renewals('step-started') === renewals('step-failed', 'step-interrupted'),
      'an attempt that began before the end is over',
    )
    const sent = scep.messages.length
    t.ok(sent >= 2 && sent <= 3, `${String(sent - 1)} attempts before the end, ten seconds apart`)
    const since = lab.operator.messages.end
    await scene.change({ challengePassword: 'another-password' })
    const reported = await corp(scene, each => each.notices !== undefined, 'it is reported', 20_000, since)
    t.match(reported.notices, [{ code: 'certificate-expired', severity: 'error' }])
    await scep.tell({ validity: 86_400 })
    const before = await lab.counters()
    const ladder = scene.mark()
    const request = scep.messages.length
    t.equal(request, sent, 'the right password alone starts nothing')
    await scene.change({ ladder: { reenrollAfterExpiry: true } })
    await ladder.event(
      ({ event, data }) => event === 'certificate-issued' && data?.['role'] === 'current',
      'it enrols',
    )
    await tested(scene.sensor, 'corp', 30_000, lab.operator.messages.end)
    t.ok((await lab.counters()).enroll.scep > before.enroll.scep, 'over the enrollment network')
  },
)

const classes: [Misdeed, { code: string; side: string }][] = [
  ['fault', { code: 'scep-http-status', side: 'server' }],
  ['wrong-chain', { code: 'scep-certificate-untrusted', side: 'configuration' }],
]
t.test('S1-23, S1-25: what went wrong once is tried again after the pace, and well', async t => {
  await using scene = await settledOn(t, {})
  const { scep } = scene
  for (const [misdeed, problem] of classes) {
    await scep.tell({ answers: [misdeed] })
    const mark = scene.mark()
    await scene.change({ renewal: { percent: 1 }, caIdentifier: misdeed })
    await scep.tell({ validity: 86_400 })
    await renew(scene, `renew-${misdeed}`)
    const failed = await mark.event(isFailed('renew'), `${misdeed} is an error`)
    t.match(failed.data?.problem, problem, misdeed)
    const { transactionID } = scep.messages.at(-1) ?? {}
    // What GetCACaps says, or fails to, must not cost the key that something may have been issued for.
    await scep.tell({ caps: '' })
    await renew(scene, `again-${misdeed}`)
    await mark.inUse()
    t.equal(scep.messages.at(-1)?.transactionID, transactionID, 'in the same transaction')
  }
  t.equal(scep.issued.length, 3)
})

t.test('a server that is down is asked again after the pace, and not before', async t => {
  await using scene = await settledOn(t, { validity: 120 }, { renewal: { percent: 99 } })
  const { scep } = scene
  await scep.daemon.stop('SIGKILL')
  const mark = scene.mark()
  await scene.change({ renewal: { percent: 1 } })
  const failed = await mark.event(isFailed('renew'), 'the renewal fails')
  t.match(failed.data?.problem, { code: 'scep-connect-failed', side: 'network' })
  const { renewal } = await corp(scene, each => each.renewal?.lastFailure !== undefined, 'it is reported')
  const wait = Date.parse(renewal?.next ?? '') - Date.parse(renewal?.lastFailure?.last ?? '')
  t.ok(wait > 5_000 && wait <= 10_000, `the next attempt is ${String(wait)} ms after it`)
  await scep.daemon.start()
  const { proof } = await mark.inUse(40_000)
  t.ok(Date.parse(proof.at) - Date.parse(failed.at) >= wait, 'and so it is')
})

t.test(
  'B-74: a CA that does not renew yet is asked again when a quarter of what is left has passed',
  async t => {
    await using scene = await settledOn(t, { validity: 4000 })
    await scene.scep.tell({ answers: ['too-early'] })
    const mark = scene.mark()
    await scene.change({ renewal: { percent: 1 } })
    await renew(scene, 'renew-1')
    const failed = await mark.event(isFailed('renew'), 'it is too early')
    t.match(failed.data?.problem, { code: 'scep-renewal-too-early', side: 'server', retry: 'backoff' })
    const { renewal } = await corp(scene, each => each.renewal?.lastFailure !== undefined, 'it is reported')
    const wait = (Date.parse(renewal?.next ?? '') - Date.parse(renewal?.lastFailure?.last ?? '')) / 1000
    t.ok(wait > 900 && wait <= 1000, `in ${String(wait)} s`)
  },
)

t.test(
  'B-60: a pending renewal is polled for with the same transactionID, as often as the profile says',
  async t => {
    await using scene = await settledOn(t, {}, { polling: { every: 5 } })
    const { scep } = scene
    await scep.tell({ answers: ['pending', 'pending'] })
    const mark = scene.mark()
    await renew(scene, 'renew-1')
    await mark.event(
      ({ event, data }) => event === 'step-failed' && data?.problem?.code === 'scep-pending',
      'it is pending',
    )
    await mark.inUse()
    const [, request, ...polls] = scep.messages
    t.strictSame(
      [request, ...polls].map(each => each?.messageType),
      ['17', '20', '20'],
    )
    t.equal(new Set([request, ...polls].map(each => each?.transactionID)).size, 1)
    t.equal(scep.issued.length, 2)
  },
)

t.test(
  'B-60: a pending renewal that is refused is over: the next one is a new transaction, not a poll',
  async t => {
    await using scene = await settledOn(t, {}, { polling: { every: 5 }, renewalMethod: 'RenewalReq' })
    const { scep } = scene
    await scep.tell({ answers: ['pending', 'refused'] })
    const mark = scene.mark()
    await renew(scene, 'renew-1')
    await mark.event(
      ({ event, data }) => event === 'step-failed' && data?.problem?.code === 'scep-rejected',
      'it is refused',
    )
    await renew(scene, 'renew-2')
    await mark.inUse()
    const [, asked, poll, again] = scep.messages
    t.strictSame([asked?.messageType, poll?.messageType], ['17', '20'])
    t.not(again?.messageType, '20')
    t.not(again?.transactionID, asked?.transactionID)
  },
)

t.test(
  'a new certificate that RADIUS refuses: back on the old one at once, and both are reported for what they are',
  async t => {
    await using scene = await settledOn(t, {}, {}, { lab: { switch: { quiet: true } } })
    const { lab, scep, sensor } = scene
    const [old] = scep.issued
    await lab.radius.configure({ clientCa: [scep.ca] })
    await scep.tell({ switchOver: true })
    const mark = scene.mark()
    await renew(scene, 'renew-1')
    const refused = await mark.event(isFailed('prove'), 'the login with the new one is refused')
    t.match(refused.data?.problem, { side: 'server', hint: /SCEP/ })
    const back = await mark.event(
      ({ event, number }) => event === 'leased' && number > refused.number,
      'back on the old one',
    )
    const ms = Date.parse(back.at) - Date.parse(refused.at)
    t.comment(
      `back on the certificate in force ${String(ms)} ms after the refusal; without an address for ${String(back.data?.['gapMs'])} ms`,
    )
    // hostapd's quiet time of 5 s, one join and one lease.
    t.ok(ms < 12_000, `back after ${String(ms)} ms`)
    const reported = await corp(
      scene,
      each => each.renewal?.candidate?.proof === 'refused',
      'the candidate is at fault',
    )
    t.equal(
      reported.certificate?.fingerprint,
      old?.fingerprint256.replaceAll(':', '').toLowerCase(),
      'the old one is in force',
    )
    t.match(reported.renewal?.candidate, {
      issuer: 'CN=Next Root',
      proof: 'refused',
      problem: { side: 'server' },
    })
    const since = lab.operator.messages.end
    await lab.radius.configure({ clientCa: [scep.ca, scep.nextCa] })
    const later = scene.mark()
    await renew(scene, 'renew-2')
    await later.inUse()
    const mended = await corp(
      scene,
      each => each.certificate?.issuer === 'CN=Next Root',
      'the new CA is in use',
      20_000,
      since,
    )
    t.notOk(mended.renewal?.candidate)
    t.ok(sensor.process.running)
  },
)
