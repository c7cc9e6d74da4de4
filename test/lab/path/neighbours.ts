import t from 'tap'
import { counted, dnsmasq, get, kernel, open } from './scene.ts'

t.test('two networks with the same subnet are each reached over their own interface', async t => {
  await using _one = await dnsmasq()
  await using _two = await dnsmasq({ space: 'other' })
  await using first = await open('eth0')
  await using second = await open('eth2')
  const host = '10.77.0.1'
  const packets = await counted(async () => {
    t.match(await get({ ...first.path.wire(), host }), `target ${first.path.address}`)
    t.match(await get({ ...second.path.wire(), host }), `other ${second.path.address}`)
  })
  t.ok(packets.eth0 > 0 && packets.eth2 > 0)
  t.match(packets, { eth1: 0, strays: 0 })
  await first.path.close()
  t.match(await get({ ...second.path.wire(), host }), 'other', 'closing one leaves the other alone')
})

t.test('two networks that give the same address are refused, the first one stays', async t => {
  await using _one = await dnsmasq({ range: '10.77.0.50,10.77.0.50' })
  await using two = await dnsmasq({ space: 'other', range: '10.77.0.50,10.77.0.50' })
  await using first = await open('eth0')
  const before = await kernel()
  await t.rejects(open('eth2'), {
    code: 'address-conflict',
    detail: /10\.77\.0\.50 for eth2 is already on eth0/,
  })
  t.equal(await kernel(), before)
  await two.waitFor(/DHCPRELEASE/, 'its lease is given back')
  t.match(await get(first.path.wire()), 'target')
})
