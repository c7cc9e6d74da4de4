import t from 'tap'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { enroll, join8021X, lease, type Identity } from '../by-hand.ts'
import { raise, type Lab } from '../lab.ts'
import { operator } from '../operator.ts'
import { ping } from './ping.ts'

const certificate = (lab: Lab): Identity => ({ ...lab.pki.client, name: 'sensor1' })
const wpaCli = (lab: Lab, command: string) =>
  lab.exec('sensor', 'wpa_cli', ['-p', join(lab.site.folder, 'wpa'), '-i', 'eth0', command])

t.test('EAPOL-Logoff locks the port at once, and the next login opens it again', async t => {
  await using lab = await raise(t)
  const supplicant = await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll')
  const since = lab.switch.events.end
  await wpaCli(lab, 'logoff')
  await lab.switch.closed(1_000, since)
  const { ipPassed } = (await lab.counters()).port
  t.notOk(await ping(lab, 'enroll'), 'no packet comes through')
  t.equal((await lab.counters()).port.ipPassed, ipPassed, 'nothing has passed the port')
  await supplicant.stop()
  const again = lab.switch.events.end
  await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll', 1_000, again)
  t.ok(await ping(lab, 'enroll'), 'packets come through')
})

t.test('a port that stays locked after EAP success', async t => {
  await using lab = await raise(t)
  await lab.switch.lockForGood()
  const supplicant = await join8021X(lab, 'PEAP')
  await supplicant.waitFor(/CTRL-EVENT-CONNECTED/, 'EAP succeeds')
  t.notOk(await ping(lab, 'enroll'), 'no packet comes through')
  t.equal((await lab.counters()).port.ipPassed, 0, 'nothing has passed the port')
})

t.test('a login that RADIUS refuses keeps the port locked, and the next one is answered at once', async t => {
  await using lab = await raise(t)
  await lab.radius.configure({ rejectAll: true })
  const refused = await join8021X(lab, 'PEAP')
  await lab.radius.rejected('peapuser')
  await refused.waitFor(/CTRL-EVENT-EAP-FAILURE/, 'EAP fails')
  await refused.stop()
  t.notOk(await ping(lab, 'enroll'), 'no packet comes through')
  await lab.radius.configure({ rejectAll: false })
  await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll', 1_500)
})

t.test('with `quiet` nobody is answered for a while after a failed login', async t => {
  await using lab = await raise(t, { switch: { quiet: true }, radius: { rejectAll: true } })
  const refused = await join8021X(lab, 'PEAP')
  await refused.waitFor(/CTRL-EVENT-EAP-FAILURE/, 'EAP fails')
  const { authenticator } = lab.switch
  await authenticator.waitFor(/MLME-DEAUTHENTICATE/, 'hostapd turns its back')
  await refused.stop()
  const since = authenticator.output.end
  await join8021X(lab, 'PEAP')
  await authenticator.waitFor(/received EAPOL-Start/, 'the next Start arrives', 1_000, since)
  await lab.exec('switch', 'hostapd_cli', ['-p', join(lab.site.folder, 'hostapd'), '-i', 'swp1', 'ping'])
  const sent = authenticator.output.since(since).filter(line => line.includes('Sending EAP Packet'))
  t.strictSame(sent, [], 'it has been dealt with, and nothing was sent')
})

t.test('a re-authentication that fails locks the port', async t => {
  await using lab = await raise(t, { switch: { reauthPeriod: 1 } })
  await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll')
  const since = lab.switch.events.end
  await lab.radius.configure({ rejectAll: true })
  await lab.switch.closed(3_000, since)
  t.notOk(await ping(lab, 'enroll'), 'no packet comes through')
})

t.test('a client certificate is judged by the CAs that RADIUS trusts', async t => {
  await using lab = await raise(t)
  const stranger = await join8021X(lab, certificate(lab))
  t.match(await lab.radius.rejected('sensor1'), { reason: /certificate/ })
  await stranger.stop()
  await lab.radius.configure({ clientCa: [lab.pki.root] })
  await join8021X(lab, certificate(lab))
  await lab.switch.opened('tested')
  t.match(await lab.radius.accepted('sensor1'), { issuer: /Lab RADIUS Root CA/ })
})

const servers = [
  ['expired', 'serverExpired', /certificate has expired/],
  ['of another root', 'serverOfOtherRoot', /self-signed certificate in certificate chain/],
] as const
t.test('a RADIUS server certificate', async t => {
  for (const [name, file, reason] of servers)
    await t.test(`${name} is refused by the supplicant`, async t => {
      await using lab = await raise(t)
      await lab.radius.configure({ server: lab.pki[file] })
      const supplicant = await join8021X(lab, 'PEAP')
      const [line] = await supplicant.waitFor(/CTRL-EVENT-EAP-TLS-CERT-ERROR.*/, 'it is refused')
      t.match(line, reason)
    })
})

t.test(
  'a switch that restarts locks its ports; until then nobody answers, and an open one stays open',
  async t => {
    await using lab = await raise(t)
    const supplicant = await join8021X(lab, 'PEAP')
    await lab.switch.opened('enroll')
    await lab.switch.authenticator.stop()
    t.ok(await ping(lab, 'enroll'), 'packets still come through')
    const since = lab.switch.events.end
    await lab.switch.authenticator.start()
    await lab.switch.closed(1_000, since)
    t.notOk(await ping(lab, 'enroll'), 'no packet comes through')
    await supplicant.stop()
    await join8021X(lab, 'PEAP')
    await lab.switch.opened('enroll', 1_500, since)
  },
)

t.test('servers that are closed, silent or missing', async t => {
  await using lab = await raise(t)
  await join8021X(lab, 'PEAP')
  await lab.switch.opened('enroll')
  await lab.dhcp('enroll').stop()
  await t.rejects(lease(lab), 'no DHCP server')
  await lab.dhcp('enroll').start()
  await lease(lab)
  await lab.scep.stop()
  await t.rejects(enroll(lab, 'refused'), { message: /connection refused/ })
  await lab.scep.start()
  await enroll(lab, 'served')
  await lab.silence('enroll', 'scep')
  const asked = (await lab.counters()).enroll.scep
  await t.rejects(lab.exec('sensor', 'ping', ['-c', '1', '-W', '0.2', '10.55.0.10']))
  t.ok((await lab.counters()).enroll.scep > asked, 'what is swallowed was counted')
  await lab.silence('enroll', 'scep', false)
  await lab.exec('sensor', 'ping', ['-c', '1', '-W', '0.2', '10.55.0.10'])
})

t.test('the broker keeps retained documents over a crash, but for the last one', async t => {
  await using lab = await raise(t)
  await lab.operator.network('corp', { schema: 1 })
  await lab.operator.publish('later', {}, true) // mosquitto saves after it has acknowledged: the next word proves it did
  await lab.broker.daemon.stop('SIGKILL')
  await lab.broker.start()
  await using later = await operator(lab.broker.socket)
  t.strictSame(await later.heard('networks/corp', () => true, 'the document is there'), { schema: 1 })
})

t.test('a sensor with one interface, and one with two tested ports', async t => {
  await using single = await raise(t, { management: false })
  await t.rejects(single.exec('sensor', 'ip', ['link', 'show', 'eth1']))
  await using double = await raise(t, { ports: 2, radius: { clientCa: [single.pki.root] } })
  await join8021X(double, 'PEAP')
  await join8021X(double, certificate(double), 'eth2')
  t.match(await double.switch.opened('enroll'), { port: 'swp1' })
  t.match(await double.switch.opened('tested'), { port: 'swp2' })
})

t.test('logs stay in a folder that is given', async t => {
  const folder = t.testdir()
  {
    await using _lab = await raise(t, { folder })
  }
  t.match(await readFile(join(folder, 'hostapd.log'), 'utf8'), /AP-ENABLED/)
})
