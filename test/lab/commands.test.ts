/** The operator's commands on a real sensor: each is answered when what it began has ended (docs/mqtt.md). */
import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { raise } from './lab.ts'
import { asReported, documentsWith, publish, tested } from './main-job/scene.ts'
import type { Document, Sensor } from './sensor.ts'

const run = promisify(execFile)

interface Reply {
  id: string
  outcome: string
  text: string
  problem?: { code: string }
  data?: Record<string, unknown>
}

t.setTimeout(120_000)

t.test('an operator asks for certificates, tests and bundles, and takes a certificate away', async t => {
  await using lab = await raise(t)
  const sensor: Sensor = await lab.sensor({ settings: { time: { trustSystemClock: true } } })
  const docs = await documentsWith(lab, {}, {})
  await publish(lab, docs)
  const fingerprint = async (): Promise<string | undefined> =>
    (await lastReported()).networks['corp']?.certificate?.fingerprint
  const lastReported = async () => {
    const reported = lab.operator.messages
      .since(0)
      .findLast(({ topic }) => topic.endsWith('/reported'))?.document
    return asReported(reported as Document)
  }
  await tested(sensor)
  let count = 0
  const ask = async (command: string, more: object = {}, ms = 30_000): Promise<Reply> => {
    const id = `c${String(++count)}`
    const since = lab.operator.messages.end
    await lab.operator.command('sensor-1', { id, command, ...more })
    const reply = await sensor.heard(
      'replies',
      each => each['id'] === id,
      `${command} is answered`,
      ms,
      since,
    )
    return reply as unknown as Reply // its JSON, read by the assertions
  }
  const corp = { network: 'corp' }

  await t.test('test: runs the probes now and answers with their results', async t => {
    const reply = await ask('test', corp)
    t.match(reply, { outcome: 'done', text: /^every test passed/ })
    t.match(reply.data?.['corp'], { passed: true })
    // As firewalls do that are a gateway.
    const pings = (ignored: 0 | 1): Promise<string> =>
      lab.exec('backend', 'sh', ['-c', `echo ${ignored} > /proc/sys/net/ipv4/icmp_echo_ignore_all`])
    await pings(1)
    const quiet = await ask('test', corp)
    await pings(0)
    t.match(quiet, { outcome: 'done', text: /^every test passed/ })
    const [gateway] = (quiet.data?.['corp'] as { probes: object[] }).probes
    t.match(gateway, { probe: 'gateway', detail: '10.78.0.1 is there and answers no ping' })
  })

  await t.test(
    'changed settings log in over the open port: hostapd would ignore who logs off for 5 s',
    async t => {
      const [since, lines] = [lab.operator.messages.end, lab.switch.authenticator.output.end]
      await lab.operator.network('corp', { ...docs.corp, eap: { ...docs.corp.eap, fragmentSize: 600 } })
      await sensor.event(e => e['event'] === 'leased', 'it has logged in', 5_000, since)
      const said = lab.switch.authenticator.output.since(lines).join('\n')
      t.match(said, /received EAPOL-Start/)
      t.notMatch(said, /received EAPOL-Logoff/)
    },
  )

  await t.test(
    'renew: S2-51, over the tested network, and the new certificate is proved by a login',
    async t => {
      const before = await fingerprint()
      const since = lab.operator.messages.end
      t.match(await ask('renew', corp), { outcome: 'done' })
      await sensor.event(
        e => e['event'] === 'certificate-in-use',
        'the new certificate is in use',
        20_000,
        since,
      )
      await sensor.reported(
        r => asReported(r).networks['corp']?.certificate?.fingerprint !== before,
        'the new certificate is reported',
        20_000,
        since,
      )
      t.equal((await lab.scep.issued()).length, 2)
    },
  )

  await t.test('preflight: everything up to but not including the password', async t => {
    const issued = (await lab.scep.issued()).length
    t.match(await ask('preflight', corp), { outcome: 'done', data: { over: 'corp' } })
    t.equal((await lab.scep.issued()).length, issued)
  })

  await t.test('diagnostics: a bundle without any secret', async t => {
    const reply = await ask('diagnostics')
    const text = JSON.stringify(reply)
    t.match(reply.data, { version: String, kernel: { rules: Array } })
    t.notMatch(text, /lab-challenge|peap-secret|PRIVATE KEY/)
  })

  await t.test('S1-15: remove-certificate takes it away at once, and it is not enrolled again', async t => {
    const since = lab.operator.messages.end
    t.match(await ask('remove-certificate', corp), { outcome: 'done' })
    await sensor.reported(
      r => asReported(r).networks['corp']?.phase === 'removed',
      'it is removed',
      20_000,
      since,
    )
    await t.rejects(access(join(sensor.state, 'credentials/dot1x/corp/current')), 'nothing is left on disk')
    const port = await run('ip', [
      'netns',
      'exec',
      lab.site.spaces.name('sensor'),
      'ping',
      '-c1',
      '-W1',
      '-I',
      'eth0',
      '10.78.0.1',
    ])
    t.match(port.stdout, '1 received', 'S1-16: the open session stays')
    t.match(await ask('renew', corp), { outcome: 'refused' })
  })

  await t.test('S1-59: request-certificate brings a new one over the enrollment network', async t => {
    const since = lab.operator.messages.end
    t.match(await ask('request-certificate', corp), { outcome: 'done' })
    const phase = (r: Document) => asReported(r).networks['corp']?.phase
    await sensor.reported(r => phase(r) === 'joined', 'corp is joined again', 30_000, since)
  })

  await t.test('S1-17: a refused request leaves the certificate in force', async t => {
    const before = await fingerprint()
    await lab.scep.stop()
    t.match(await ask('request-certificate', corp), { outcome: 'failed', problem: { code: /^scep-/ } })
    await lab.scep.start()
    t.match(await ask('test', corp), { outcome: 'done' })
    t.equal(await fingerprint(), before)
  })

  await t.test('what makes no sense is refused with why', async t => {
    t.match(await ask('renew', { network: 'nowhere' }), { outcome: 'refused', text: /nowhere is not/ })
    t.match(await ask('forget-network', corp), { outcome: 'refused', text: /is listed/ })
  })

  await t.test(
    'restart-agent: answered, then the process ends with the code that asks for a restart',
    async t => {
      t.match(await ask('restart-agent'), { outcome: 'done' })
      await sensor.process.ended
      t.match(sensor.process.output.tail(), 'exit code 75')
    },
  )
})
