/** B-60 at length: a request that the CA has not decided on outlives the agent, and is given up where the profile says so. */
import t from 'tap'
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
