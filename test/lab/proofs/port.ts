import t from 'tap'
import { enroll, join8021X, lease } from '../by-hand.ts'
import { raise } from '../lab.ts'
import { ping } from './ping.ts'

const milliseconds = async (work: Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await work
  return Math.round(performance.now() - from)
}

t.test('not one IP packet passes the locked port, and all do once somebody has authenticated', async t => {
  await using lab = await raise(t)
  t.notOk(await ping(lab, 'enroll'), 'the gateway does not answer')
  await t.rejects(lease(lab), 'there is no lease')
  const before = await lab.counters()
  t.ok(before.port.ipBlocked >= 6, `${before.port.ipBlocked} packets arrived at the port`)
  t.equal(before.port.ipPassed, 0, 'none passed')
  t.equal(before.enroll.ip + before.tested.ip, 0, 'none reached a segment')

  await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll')
  t.ok(await ping(lab, 'enroll'), 'the gateway answers')
  const after = await lab.counters()
  t.ok(after.port.ipPassed >= 3, `${after.port.ipPassed} packets passed`)
  t.equal(after.tested.ip, 0, 'none in the tested segment')
})

t.test('the port follows the identity: PEAP to br-enroll, a certificate by SCEP to br-tested', async t => {
  await using lab = await raise(t)
  const peap = await join8021X(lab, 'PEAP')
  const enrollment = await lab.switch.opened('enroll')
  t.match(await lab.radius.accepted('peapuser'), { identity: 'peapuser' })
  t.equal(enrollment.session.identity, 'peapuser')
  const leased = await milliseconds(lease(lab))
  const identity = await enroll(lab, 'sensor-1')
  const [issued] = await lab.scep.issued()
  t.match(issued, { subject: /CN=sensor-1/ })
  await peap.stop()

  await join8021X(lab, identity)
  const tested = await lab.switch.opened('tested')
  const login = await lab.radius.accepted('sensor-1')
  t.match(login, { issuer: /O=Lab/ })
  t.equal(
    BigInt(`0x${login.serial}`),
    BigInt(`0x${issued?.serial}`),
    'RADIUS saw the certificate in the depot',
  )
  const leasedAgain = await milliseconds(lease(lab))
  t.match(await lab.exec('sensor', 'ip', ['-4', 'addr', 'show', 'eth0']), /inet 10\.78\.0\./)
  const { enroll: over, tested: later, port } = await lab.counters()
  t.ok(over.scep > 0 && over.dhcp > 0 && later.dhcp > 0, 'packets are counted per segment')
  t.equal(later.scep, 0, 'SCEP was spoken over the enrollment segment only')
  t.ok(port.ipPassed > 0)
  t.comment(`open after ${enrollment.ms} and ${tested.ms} ms; leases in ${leased} and ${leasedAgain} ms`)
  t.ok(Math.max(enrollment.ms, tested.ms) < 100, 'the port opens promptly')
})

t.test('the carrier of eth0 stays while the port changes its segment', async t => {
  await using lab = await raise(t)
  const carrier = () => lab.exec('sensor', 'cat', ['/sys/class/net/eth0/carrier_changes'])
  const before = await carrier()
  await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll')
  t.equal(await carrier(), before)
  await lab.cable.pull()
  await lab.cable.plug()
  t.equal(Number(await carrier()), Number(before) + 2, 'a pulled cable is seen')
})

t.test('two labs work side by side, with the same addresses and names', async t => {
  await using one = await raise(t)
  await using other = await raise(t)
  await Promise.all([one, other].map(lab => join8021X(lab, 'PEAP')))
  await Promise.all([one, other].map(lab => lab.switch.opened('enroll')))
  await Promise.all([one, other].map(lab => lease(lab)))
  await enroll(one, 'of-one')
  t.equal((await one.scep.issued()).length, 1)
  t.equal((await other.scep.issued()).length, 0, 'the other server has issued nothing')
  t.equal((await other.counters()).enroll.scep, 0)
})
