import t from 'tap'
import { looksLocked } from '../../../agent/path/index.ts'
import { daemon } from '../daemon.ts'
import { dnsmasq, exec, inFolder, ipIn, kernel, lose, nameOf, open } from './scene.ts'

t.test('no answer at all ends as no offer that looks like a locked port', async t => {
  // What a locked port lets through.
  const locked = [
    'table netdev locked {',
    'chain c {',
    'type filter hook egress device n0 priority 0; drop',
    '}',
    '}',
  ]
  await exec('backend', 'nft', ['-f', '-'], locked.join('\n'))
  const before = await kernel()
  const failure = await open('eth0', { leaseDeadlineMs: 1_500 }).catch((error: unknown) => error)
  await exec('backend', 'nft', ['delete', 'table', 'netdev', 'locked'])
  t.match(failure, {
    code: 'dhcp-no-offer',
    side: 'network',
    facts: { received: 0 },
    detail: /DISCOVER sent [3-9] times/,
  })
  t.equal(looksLocked(failure), true)
  t.equal(await kernel(), before)
})

t.test('no answer while others are heard ends as no offer from an open port', async t => {
  const broadcast = `
    const socket = require('dgram').createSocket('udp4').bind(() => {
      socket.setBroadcast(true)
      console.log('ready')
      setInterval(() => socket.send('anybody?', 9, '10.77.0.255'), 100)
    })`
  await using _ = await daemon({
    name: 'chatter',
    command: process.execPath,
    args: ['-e', broadcast],
    netns: nameOf('backend'),
    ready: /ready/,
    logFile: inFolder('chatter.log'),
  })
  const failure = await open('eth0', { leaseDeadlineMs: 1_500 }).catch((error: unknown) => error)
  t.match(failure, { code: 'dhcp-no-offer', detail: /\d+ frames were received/ })
  t.equal(looksLocked(failure), false)
})

t.test('an offer that is never confirmed ends as no acknowledgement, naming the server', async t => {
  await using _server = await dnsmasq()
  // A DHCPREQUEST carries option 53 with the value 3.
  await using _deaf = await lose('udp dport 67 @th,1984,24 0x350103')
  const failure = await open('eth0', { leaseDeadlineMs: 1_500 }).catch((error: unknown) => error)
  t.match(failure, { code: 'dhcp-no-ack', detail: /server 10\.77\.0\.1/ })
  t.equal(looksLocked(failure), false)
})

t.test('without a carrier the cable is named, not DHCP', async t => {
  await ipIn('backend', 'link set n0 down')
  const failure = await open('eth0', { carrierDeadlineMs: 300 }).catch((error: unknown) => error)
  await ipIn('backend', 'link set n0 up')
  t.match(failure, { code: 'no-carrier', side: 'network' })
})

t.test('an interface that does not exist, or is no interface name, is named', async t => {
  await t.rejects(open('eth7'), { code: 'no-interface', detail: /eth7/ })
  await t.rejects(open('eth0 up'), { code: 'no-interface' })
})
