/** B-60 at length: a request that the CA has not decided on outlives the agent, and is given up where the profile says so. */
import { readdir } from 'node:fs/promises'
import t from 'tap'
import { folderOf } from '../main-job/credential.ts'
import { asReported, tested } from '../main-job/scene.ts'
import { settledOn, type Scene } from './scene.ts'

const renew = (scene: Scene): Promise<void> =>
  scene.lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })

t.test(
  'B-60: a pending renewal outlives a power cut: it is polled for under the same transactionID and key',
  async t => {
    await using scene = await settledOn(t, {}, { polling: { every: 5 } })
    const { scep, sensor } = scene
    await scep.tell({ answers: ['pending', 'pending'] })
    const mark = scene.mark()
    await renew(scene)
    await mark.event(
      ({ event, data }) => event === 'step-failed' && data?.problem?.code === 'scep-pending',
      'it is pending',
    )
    await sensor.kill()
    await sensor.start()
    await mark.inUse()
    const [, request, ...polls] = scep.messages
    t.equal(request?.messageType, '17')
    t.ok(polls.length > 0 && polls.every(poll => poll.messageType === '20'), 'polled for, never sent again')
    t.equal(new Set([request, ...polls].map(each => each?.transactionID)).size, 1)
    t.equal(scep.issued.length, 2)
  },
)

t.test('B-60: a pending renewal is given up after as many polls as the profile allows', async t => {
  await using scene = await settledOn(t, {}, { polling: { every: 5, most: 1 } })
  const { scep } = scene
  await scep.tell({ answers: ['pending', 'pending', 'pending'] })
  const mark = scene.mark()
  await renew(scene)
  await mark.event(
    ({ event, data }) => event === 'step-failed' && data?.problem?.code === 'scep-gave-up',
    'it is given up',
  )
  const [, request, ...polls] = scep.messages
  t.strictSame(
    [request, ...polls].map(each => each?.messageType),
    ['17', '20'],
  )
})

t.test(
  'B-60: a certificate asked for afresh that is pending is polled for over the tested network, and not given up for a renewal',
  async t => {
    await using scene = await settledOn(t, {}, { polling: { every: 5 } })
    const { lab, scep } = scene
    await scep.tell({ answers: ['pending', 'pending'] })
    const mark = scene.mark()
    await lab.operator.command('sensor-1', { id: 'again', command: 'request-certificate', network: 'corp' })
    await mark.event(
      ({ event, data }) => event === 'step-failed' && data?.problem?.code === 'scep-pending',
      'it is pending',
    )
    const before = await lab.counters()
    await mark.inUse()
    const [, request, ...polls] = scep.messages
    t.equal(request?.messageType, '19')
    t.ok(polls.length > 0 && polls.every(({ messageType }) => messageType === '20'), 'polled for')
    t.equal(new Set([request, ...polls].map(each => each?.transactionID)).size, 1, 'in one transaction')
    t.equal((await lab.counters()).enroll.ip, before.enroll.ip, 'and the tested network is not left for it')
    t.equal(scep.issued.length, 2)
  },
)

t.test(
  'S1-15, S2-67: a certificate or a network that is removed while a request for it is pending: the request is over, and nothing comes of it',
  async t => {
    await using scene = await settledOn(t, {}, { polling: { every: 5 } })
    const { lab, scep, sensor } = scene
    await scep.tell({ answers: ['pending'] })
    const mark = scene.mark()
    await renew(scene)
    await mark.event(
      ({ event, data }) => event === 'step-failed' && data?.problem?.code === 'scep-pending',
      'it is pending',
    )
    await lab.operator.command('sensor-1', { id: 'gone', command: 'remove-certificate', network: 'corp' })
    await mark.event(({ event }) => event === 'certificate-removed', 'the certificate is removed')
    const folder = await readdir(folderOf(sensor))
    t.notOk(
      folder.some(name => name === 'open' || /^\d{4}-/.test(name)),
      'request, key and certificate are gone',
    )
    const sent = scep.messages.length
    await sensor.kill()
    const again = lab.operator.messages.end
    await sensor.start()
    const removed = (document: object): boolean =>
      asReported(document as never).networks['corp']?.phase === 'removed'
    await sensor.reported(removed, 'the removal is a fact after a restart, too', 30_000, again)
    t.equal(scep.messages.length, sent, 'nobody polls any more')
    await lab.operator.desired('sensor-1', { schema: 1, version: 2, networks: [] })
    await sensor.event(({ event }) => event === 'forgotten', 'the network is removed', 40_000, again)
    const back = lab.operator.messages.end
    const networks = [{ network: 'corp', assignment: 'second' }]
    await lab.operator.desired('sensor-1', { schema: 1, version: 3, networks })
    await tested(sensor, 'corp', 60_000, back)
    const last = scep.messages.at(-1)
    t.equal(last?.messageType, '19', 'S2-69: added again, it enrols afresh')
    t.notOk(
      scep.messages.slice(0, -1).some(({ transactionID }) => transactionID === last?.transactionID),
      'in a transaction of its own',
    )
  },
)
