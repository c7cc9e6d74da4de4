import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import {
  type Attempt,
  isSupplicantError,
  join,
  type SupplicantError,
  type SupplicantInterface,
  type WatchEvent,
  watch,
} from '../../../supplicant/index.ts'
import { Journal } from '../journal.ts'
import { credentials, tlsBlobs, tlsBlock } from './credentials.ts'
import { SupplicantLab } from './lab.ts'
import { Pki } from './pki.ts'

t.test('joining a wired network', async t => {
  await using pki = await Pki.create()
  const all = await credentials(pki)
  const eap = { ca: all.root, ...all.server }
  await using lab = await SupplicantLab.raise(t)
  const { wpa, eth0 } = await lab.connect()
  await using _ = wpa

  await t.test('S2-05: EAP-TLS with certificate and CA as blobs and the key as a path', async t => {
    await lab.authenticator({ eap })
    const { block, blobs } = await tlsBlobs(all)
    const stages: string[] = []
    const progress = (attempt: Attempt) => stages.at(-1) === attempt.stage || stages.push(attempt.stage)
    const joined = await join(eth0, block, { blobs, onProgress: progress })
    t.same(stages, [
      'selecting',
      'associated',
      'eap-started',
      'method',
      'server-certificate',
      'verified',
      'authenticated',
      'completed',
    ])
    t.match(joined.attempt, { method: 'TLS', verification: 'success', outcome: { kind: 'joined' } })
    const [issuer, own] = joined.attempt.serverCertificates
    const server = new X509Certificate(await readFile(all.server.certificate))
    t.match(issuer, { depth: 1, subject: /CN=Lab Root CA/ })
    t.match(own, { depth: 0, subject: /CN=radius/, altSubjects: ['DNS:radius.example.org'] })
    t.equal(own?.sha256, server.fingerprint256.replaceAll(':', '').toLowerCase())
    t.equal(new X509Certificate(own?.der ?? '').validTo, server.validTo, 'its validity is in the certificate')
    t.ok(joined.ms < 500, `${joined.ms.toFixed(1)} ms, not the two seconds of startWhen`)
    t.match(await eth0.read(), {
      state: 'completed',
      authMode: 'EAP-TLS',
      carrier: true,
      currentNetwork: {
        path: joined.network,
        idStr: 'corp:1',
        enabled: true,
        properties: { identity: 'sensor1' },
      },
    })
    t.same((await eth0.read()).blobs.sort(), ['ca-1', 'cert-1'])
  })

  await t.test(
    'installing what is there changes nothing; another content of the same id_str replaces it',
    async t => {
      const { block, blobs } = await tlsBlobs(all)
      const [before] = await eth0.networks()
      t.equal(await eth0.install(block, blobs), before?.path)
      t.equal((await eth0.read()).state, 'completed', 'the session goes on')
      let removed = 0
      using counting = eth0.on(news => (removed += news.kind === 'network-removed' ? 1 : 0))
      t.ok(counting)
      await eth0.install(tlsBlock(all, { id_str: 'secret', password: 'hunter2' }))
      t.equal(removed, 0)
      const changed = await eth0.install(tlsBlock(all, { id_str: 'secret', password: 'hunter3' }))
      t.equal(removed, 1, 'a changed secret is a changed block')
      await eth0.removeNetwork(changed)
      await eth0.removeNetwork(changed)
    },
  )

  await t.test('a block the supplicant does not accept is an error that names block and keys', async t => {
    const refused = join(eth0, tlsBlock(all, { id_str: 'bad', eap: 'SORCERY' }))
    await t.rejects(refused, { code: 'invalid-block', retry: 'change', message: /network block bad .*eap/ })
  })

  await t.test(
    'after a rejection the sensor is disconnected, and no 60 s of holding stand in the way of the next',
    async t => {
      await lab.authenticator({ eap })
      const error = await failure(join(eth0, tlsBlock(all, { ca_cert: all.otherRoot })))
      t.match(error, { code: 'rejected', attempt: { localAlert: 'unknown CA' } })
      t.equal((await eth0.read()).state, 'disconnected')
      await lab.authenticator({ eap })
      const joined = await join(eth0, tlsBlock(all))
      t.ok(joined.ms < 500, `${joined.ms.toFixed(1)} ms`)
    },
  )

  await t.test('after a logoff the next join is as fast as the first', async t => {
    await eth0.logoff()
    await eth0.disconnect()
    await lab.authenticator({ eap })
    t.ok((await join(eth0, tlsBlock(all))).ms < 500)
  })

  await t.test('C-04: a session that the server would resume is not: every join is a full one', async t => {
    await lab.authenticator({ eap: { ...eap, more: 'tls_session_lifetime=3600' } })
    const isFull = async () => (await join(eth0, tlsBlock(all))).attempt.verification !== undefined
    t.same([await isFull(), await isFull()], [true, true])
    await eth0.setFastReauth(true)
    t.equal(await isFull(), false, 'with fast re-authentication it would be')
    await eth0.setFastReauth(false)
    t.equal(await isFull(), true)
  })

  await t.test('a join that is aborted leaves the interface disconnected', async t => {
    await lab.noAuthenticator()
    const abort = new AbortController()
    const joining = join(
      eth0,
      tlsBlock(all),
      {
        onProgress: ({ stage }) => {
          if (stage === 'associated') abort.abort(new Error('not wanted any more'))
        },
      },
      abort.signal,
    )
    await t.rejects(joining, { message: 'not wanted any more' })
    t.equal((await eth0.read()).state, 'disconnected')
    t.equal(wpa.counts().pending, 0)
    await t.rejects(join(eth0, tlsBlock(all), {}, AbortSignal.abort(new Error('never was'))), {
      message: 'never was',
    })
  })

  await t.test('two joins of one interface: the second waits for the first', async t => {
    await lab.authenticator({ eap })
    const [first, second] = await Promise.all([
      join(eth0, tlsBlock(all)),
      join(eth0, tlsBlock(all, { id_str: 'corp:2' })),
    ])
    t.not(first.network, second.network)
    t.equal((await eth0.read()).currentNetwork?.path, second.network)
  })

  await t.test('a join without a cable waits for it and then goes ahead at once', async t => {
    await lab.authenticator({ eap })
    const unplugged = carrier(eth0, false)
    await lab.cable('down')
    await unplugged
    const starts = lab.supplicant.output.end
    let isPlugged = false
    // All at once: what was said of the association without a cable is read when that is over.
    const onProgress = () => {
      if (!isPlugged) execFileSync('ip', ['-n', lab.site.spaces.name('switch'), 'link', 'set', 'swp1', 'up'])
      if (!isPlugged) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30)
      isPlugged = true
    }
    const { evidence } = (await join(eth0, tlsBlock(all), { onProgress })).attempt
    const cable = evidence.findIndex(event => event.kind === 'carrier' && event.up)
    t.match(
      evidence[cable + 1],
      { kind: 'act', act: 'reselect' },
      'the cable itself, not the pace, starts the next try',
    )
    const sent = lab.supplicant.output.since(starts).filter(line => line.endsWith('EAPOL: txStart'))
    t.equal(sent.length, 1, 'one EAPOL-Start: an authenticator counts them, and forgets who sends too many')
  })

  await t.test(
    'an authenticator that begins anew in the middle of EAP is met within the time for it',
    async t => {
      await lab.authenticator({ eap })
      let anew: Promise<unknown> | undefined
      const joined = await join(eth0, tlsBlock(all), {
        deadlines: { radiusSilent: 2_000 },
        onProgress: ({ stage }) => {
          if (stage === 'method') anew ??= lab.authenticator({ eap })
        },
      })
      await anew
      t.ok(joined.ms < 2_000, `${joined.ms.toFixed(0)} ms`)
      const acts = joined.attempt.evidence.filter(event => event.kind === 'act' && event.act === 'restart')
      t.equal(acts.length, 1, 'by beginning once more')
    },
  )

  await t.test('an authenticator that comes up late is met within 1.1 s of its being ready', async t => {
    // With this option the deadline is no end: 5 s after the association are its least.
    const silences: string[] = []
    const onSilence = ({ code, attempt }: SupplicantError) => {
      silences.push(code)
      t.match(attempt?.outcome, { kind: 'failed', code: 'no-authenticator' })
    }
    for (const late of [100, 1_300, 6_000]) {
      await lab.noAuthenticator()
      const deadlines = { noAuthenticator: 2_000 }
      const joining = join(eth0, tlsBlock(all), { deadlines, onSilence })
      await setTimeout(late) // the delay is what is tested
      await lab.authenticator({ eap })
      const ready = performance.now()
      await joining
      const after = performance.now() - ready
      t.ok(after <= 1_100, `${late} ms late: joined ${after.toFixed(0)} ms after it was ready`)
    }
    t.same(silences, ['no-authenticator'], 'what did not end the join was told')
  })
})

t.test('watching a joined network', async t => {
  await using pki = await Pki.create()
  const all = await credentials(pki)
  await using lab = await SupplicantLab.raise(t)
  const { wpa, eth0 } = await lab.connect()
  await using _ = wpa
  const events = new Journal<WatchEvent>('watch', event => event.kind)
  const seen = (kind: WatchEvent['kind'], sentence: string, since: number, ms = 10_000) =>
    events.find(event => (event.kind === kind ? event : undefined), sentence, ms, since)
  await lab.radius({ tls: await lab.tls({ ca: all.root, ...all.server }) })
  await lab.authenticator({ reauthPeriod: 1 })
  await join(eth0, tlsBlock(all))
  using watching = watch(eth0, event => events.add(event))
  t.ok(watching)

  await t.test('a re-authentication asked for by the switch is an attempt of its own', async t => {
    const event = await seen('reauthenticated', 'the switch asks again', 0)
    t.match(event, { attempt: { method: 'TLS', verification: 'success' } })
  })

  await t.test('one that fails is told, though State stays completed', async t => {
    const from = events.end
    await lab.radius({ behaviour: 'refuse-identity' })
    const event = await seen('reauthentication-failed', 'the server refuses', from)
    t.match(event, { attempt: { outcome: { code: 'rejected' } } })
    t.equal((await eth0.read()).state, 'completed')
  })

  await t.test('a pulled cable is told, and its return, though State stays completed', async t => {
    const from = events.end
    await lab.cable('down')
    await seen('carrier-lost', 'the cable is out', from)
    t.match(await eth0.read(), { state: 'completed', carrier: false })
    await lab.cable('up')
    await seen('carrier-back', 'the cable is in again', from)
    t.equal(eth0.carrier, true)
  })

  await t.test('a disconnection is told', async t => {
    const from = events.end
    await eth0.disconnect()
    t.match(await seen('disconnected', 'somebody disconnects', from), { reason: -3 })
  })

  await t.test('the end of the supplicant is told', async t => {
    const from = events.end
    lab.supplicant.kill('SIGKILL')
    t.match(await seen('gone', 'the supplicant is killed', from), { error: { code: 'supplicant-absent' } })
  })
})

/** Resolves when the interface hears that its carrier is there, or gone. */
async function carrier(target: SupplicantInterface, up: boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = globalThis.setTimeout(() => {
      reject(new Error(`the carrier did not go ${up ? 'up' : 'down'} within 5 s`))
    }, 5_000)
    const subscription = target.on(news => {
      if (news.kind !== 'carrier' || news.up !== up) return
      clearTimeout(timer)
      subscription[Symbol.dispose]()
      resolve()
    })
  })
}

async function failure(work: Promise<unknown>): Promise<SupplicantError> {
  try {
    await work
  } catch (error) {
    if (isSupplicantError(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}
