import { once } from 'node:events'
import t from 'tap'
import { dnsmasq, get, heard, ipIn, kernel, nameOf, open, port, target } from './scene.ts'

t.test('a renewal that the server refuses ends the path and what was opened over it', async t => {
  const before = await kernel()
  const first = await dnsmasq()
  await using opened = await open()
  const { path, events } = opened
  const socket = await path.connect(target, port, AbortSignal.timeout(2_000))
  const ended = once(socket, 'close').catch(() => undefined)
  await first[Symbol.asyncDispose]()
  await using _second = await dnsmasq({ range: '10.77.0.80,10.77.0.89' })
  path.renew()
  const { error } = await heard(events, 'lost', 'the refusal is told')
  t.match(error, { code: 'lease-lost', side: 'network', detail: /refused|instead/ })
  t.equal(path.lost.reason, error)
  await ended
  await t.rejects(get(path.wire()), { code: 'lease-lost' })
  await t.rejects(path.connect(target, port, AbortSignal.timeout(2_000)), { code: 'lease-lost' })
  await path.close()
  t.equal(await kernel(), before)
})

/** An adapter with a network behind it, as if it were plugged in. */
async function plugIn(): Promise<void> {
  await ipIn('sensor', 'link add eth9 type veth peer name n9', `link set n9 netns ${nameOf('backend')}`)
  await ipIn('backend', 'link set n9 up', 'address add 10.99.0.1/24 dev n9')
}

t.test('an adapter that is pulled out ends the path, and plugged in again it can be used anew', async t => {
  const nine = { range: '10.99.0.50,10.99.0.59', options: ['--interface=n9'] }
  for (const time of ['first', 'second']) {
    await plugIn()
    await using _server = await dnsmasq(nine)
    await using opened = await open('eth9')
    t.match(opened.path.address, /^10\.99\.0\./, `the ${time} time`)
    await opened.path.verify('10.99.0.1')
    await ipIn('sensor', 'link del eth9')
    const { error } = await heard(opened.events, 'lost', 'the loss is told')
    t.match(error, { code: 'lease-lost' })
  }
})

t.test('a cable that is pulled is told as such, and the path stays', async t => {
  await using _server = await dnsmasq()
  await using opened = await open()
  const { path, events } = opened
  await ipIn('backend', 'link set n0 down')
  t.match(await heard(events, 'carrier', 'the loss of carrier is told'), { up: false })
  const since = events.end
  await ipIn('backend', 'link set n0 up')
  t.match(await heard(events, 'carrier', 'its return is told', since), { up: true })
  t.equal(path.lost.aborted, false)
  t.match(await get(path.wire()), 'target')
})
