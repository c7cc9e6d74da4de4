import t from 'tap'
import {
  type Attempt,
  connectSupplicant,
  join,
  networkBlock,
  type Supplicant,
  type SupplicantEvent,
} from '../../../supplicant/index.ts'
import { Journal } from '../journal.ts'
import { credentials, tlsBlobs, tlsBlock } from './credentials.ts'
import { SupplicantLab } from './lab.ts'
import { Pki } from './pki.ts'

const returned = (wpa: Supplicant) => wpa.whenPresent(AbortSignal.timeout(10_000))

t.test('the supplicant and its interfaces come and go', async t => {
  await using pki = await Pki.create()
  const all = await credentials(pki)
  const eap = { ca: all.root, ...all.server }
  await using lab = await SupplicantLab.raise(t)
  const { wpa, eth0 } = await lab.connect()
  await using _ = wpa
  const events = new Journal<SupplicantEvent>('supplicant', event => event.kind)
  using listening = wpa.on(event => events.add(event))
  t.ok(listening)
  const heard = (kind: SupplicantEvent['kind'], since: number) =>
    events.find(
      event => (event.kind === kind ? event : undefined),
      `the supplicant is ${kind}`,
      10_000,
      since,
    )

  await t.test('it says what it can do, and how much it logs', async t => {
    const { capabilities, eapMethods, interfaces } = await wpa.capabilities()
    t.ok(capabilities.includes('pmf') && eapMethods.includes('TLS'))
    t.same(interfaces, [eth0.path])
    await wpa.setLogLevel('info')
    t.equal(await wpa.logLevel(), 'info')
    await wpa.setLogLevel('debug')
  })

  await t.test('a plain wired network is joined at once, without 802.1X', async t => {
    const { block } = networkBlock({ idStr: 'plain', medium: 'wired' })
    const joined = await join(eth0, block)
    t.match(joined.attempt, { eap: false, outcome: { kind: 'joined' } })
    t.ok(joined.ms < 500, `${joined.ms.toFixed(1)} ms`)
  })

  await t.test('blocks of the described kinds are accepted by the supplicant as they are', async t => {
    const trust = { ca: all.root, name: 'example.org' }
    const login = { identity: 'user', password: 'secret', trust }
    const tls = {
      method: 'TLS' as const,
      identity: 'x',
      certificate: all.client.certificate,
      key: all.client.key,
      trust,
    }
    const air = { idStr: 'air', medium: 'wireless' as const, ssid: 'corp' }
    const described = [
      networkBlock({ idStr: 'air', medium: 'wired', eap: { method: 'PEAP', ...login } }),
      networkBlock({
        idStr: 'air',
        medium: 'wired',
        eap: { method: 'TTLS', inner: 'PAP', ...login },
        acceptCannedSuccess: true,
      }),
      networkBlock({
        idStr: 'air',
        medium: 'wired',
        eap: { ...tls, tls: { maximum: '1.3' }, fragmentSize: 600, legacy: { weakCiphers: true } },
      }),
      networkBlock({ idStr: 'air', medium: 'wired', eap: { ...tls, trust: { pin: 'ab'.repeat(32) } } }),
      networkBlock({
        ...air,
        security: 'open',
        hidden: true,
        bssid: '02:00:00:00:00:01',
        frequencies: [2412, 5180],
      }),
      networkBlock({ ...air, security: 'owe' }),
      networkBlock({ ...air, security: 'owe-transition' }),
      networkBlock({ ...air, security: 'wpa2-psk', passphrase: 'eight888' }),
      networkBlock({ ...air, security: 'wpa2-psk', passphrase: 'ab'.repeat(32) }),
      networkBlock({ ...air, security: 'wpa2-wpa3-psk', passphrase: 'eight888' }),
      networkBlock({ ...air, security: 'wpa3-sae', passphrase: 'x' }),
      networkBlock({ ...air, security: 'wpa2-enterprise', eap: tls }),
      networkBlock({ ...air, security: 'wpa3-enterprise', eap: tls }),
      networkBlock({ ...air, security: 'wpa3-enterprise-192', eap: tls }),
    ]
    for (const { block } of described) {
      const path = await eth0.install(block)
      t.equal(await eth0.install(block), path, `${block.key_mgmt} ${block.eap ?? ''} is found again`)
    }
    for (const network of await eth0.networks()) await eth0.removeNetwork(network.path)
  })

  await t.test(
    'logins that are given up half-way end by themselves: hostapd forgets who begins a third, in the middle of it',
    async t => {
      await lab.authenticator({ eap })
      for (const stage of ['eap-started', 'method', 'verified'] as const) {
        const abort = new AbortController()
        const onProgress = (attempt: Attempt) => {
          if (attempt.stage === stage) abort.abort(new Error('not wanted any more'))
        }
        const { attempt } = await join(eth0, tlsBlock(all), { onProgress }, abort.signal)
        t.match(attempt, { outcome: { kind: 'joined' } }, `given up at ${stage}`)
        await eth0.disconnect()
      }
      const { ms } = await join(eth0, tlsBlock(all))
      t.ok(ms < 500, `the next: ${ms.toFixed(1)} ms`)
    },
  )

  await t.test('an interface and a block that somebody else made are taken over and left alone', async t => {
    await using other = await connectSupplicant(lab.bus.address, { ip: lab.ip })
    const theirs = await other.interface({ name: 'eth0', driver: 'wired' })
    t.equal(theirs.path, eth0.path)
    const path = await theirs.install({ id_str: 'theirs', key_mgmt: 'NONE' })
    await theirs.enable(path)
    await lab.authenticator({ eap })
    await join(eth0, tlsBlock(all))
    const foreign = async () => (await eth0.networks()).find(network => network.idStr === 'theirs')
    t.match(await foreign(), { path, enabled: false }, 'SelectNetwork disables it')
    await eth0.enable(path)
    t.match(await foreign(), { path, enabled: true })
  })

  await t.test('S2-05: a supplicant that was killed is filled anew and joins again', async t => {
    const from = events.end
    lab.supplicant.kill('SIGKILL')
    t.match(await heard('gone', from), { error: { code: 'supplicant-absent' } })
    t.match(eth0.gone, { code: 'supplicant-absent' })
    t.equal(wpa.present, false)
    await t.rejects(eth0.read(), { code: 'supplicant-absent', retry: 'backoff' })
    await t.rejects(wpa.interface({ name: 'eth0', driver: 'wired' }), { code: 'supplicant-absent' })
    await lab.supplicant.ended
    await lab.supplicant.start()
    await returned(wpa)
    await lab.authenticator({ eap })
    const start = performance.now()
    const again = await wpa.interface({ name: 'eth0', driver: 'wired' })
    t.match(await again.read(), { networks: [], blobs: [] }, 'nothing is left')
    const { block, blobs } = await tlsBlobs(all)
    await join(again, block, { blobs })
    t.ok(
      performance.now() - start < 1_000,
      `rebuilt and joined in ${(performance.now() - start).toFixed(0)} ms`,
    )
  })

  await t.test('a bus that dies and returns is found again', async t => {
    const from = events.end
    lab.bus.daemon.kill('SIGKILL')
    t.match(await heard('gone', from), { error: { code: 'bus-closed' } })
    await t.rejects(wpa.capabilities(), { code: 'bus-closed' })
    await lab.supplicant.stop()
    await lab.bus.daemon.ended
    await lab.bus.daemon.start()
    await lab.supplicant.start()
    await returned(wpa)
    await lab.authenticator({ eap })
    const again = await wpa.interface({ name: 'eth0', driver: 'wired' })
    t.match(await join(again, tlsBlock(all)), { attempt: { outcome: { kind: 'joined' } } })
  })

  await t.test('an interface taken away is told, and a join of it fails', async t => {
    const present = await wpa.interface({ name: 'eth0', driver: 'wired' })
    await lab.noAuthenticator()
    let removed: Promise<void> | undefined
    const joining = join(present, tlsBlock(all, { id_str: 'taken' }), {
      onProgress: ({ stage }) => {
        if (stage === 'associated') removed ??= wpa.remove(present)
      },
    })
    await t.rejects(joining, { code: 'interface-gone' })
    await removed
    t.match(present.gone, { code: 'interface-gone' })
  })

  await t.test('an adapter that is taken out of the machine and put back is a new interface', async t => {
    const present = await wpa.interface({ name: 'eth0', driver: 'wired' })
    const gone = new Promise(resolve => present.on(({ kind }) => kind === 'gone' && resolve(kind)))
    const from = events.end
    const { spaces } = lab.site
    await spaces.ip('sensor', [`link set eth0 netns ${spaces.name('backend')}`])
    await gone
    t.match(present.gone, { code: 'interface-gone', message: 'eth0 was taken out of the machine' })
    await t.rejects(wpa.interface({ name: 'eth0', driver: 'wired' }), { code: 'refused' })
    await spaces.ip('backend', [`link set eth0 netns ${spaces.name('sensor')}`])
    t.match(await heard('link-back', from), { name: 'eth0' })
    const again = await wpa.interface({ name: 'eth0', driver: 'wired' })
    await lab.authenticator({ eap })
    t.match(await join(again, tlsBlock(all)), { attempt: { outcome: { kind: 'joined' } } })
  })

  await t.test('a supplicant that hangs does not hang its caller', async t => {
    await using impatient = await connectSupplicant(lab.bus.address, { deadline: 200, ip: lab.ip })
    lab.supplicant.kill('SIGSTOP')
    const start = performance.now()
    await t.rejects(impatient.capabilities(), { code: 'call-timeout', retry: 'backoff' })
    t.ok(performance.now() - start < 1_000)
    lab.supplicant.kill('SIGCONT')
    t.equal(impatient.counts().pending, 0)
    t.ok((await impatient.capabilities()).capabilities.length > 0, 'and the connection still serves')
  })
})

t.test('what is disposed while the bus is dead stays away when it returns', async t => {
  await using lab = await SupplicantLab.raise(t)
  const { wpa, eth0 } = await lab.connect()
  let gone = 0
  using counting = wpa.on(() => (gone += 1))
  t.ok(counting)
  lab.bus.daemon.kill('SIGKILL')
  await lab.bus.daemon.ended
  await wpa[Symbol.asyncDispose]()
  await lab.supplicant.stop()
  await lab.bus.daemon.start()
  await lab.supplicant.start()
  t.equal(wpa.present, false)
  t.ok(gone <= 1)
  await t.rejects(wpa.capabilities(), { code: 'bus-closed' })
  t.match(wpa.counts(), { pending: 0, interfaces: 0, children: 0 })
  t.match(eth0.gone, { code: 'bus-closed' })
})

t.test('what is not there is said at once', async t => {
  await t.rejects(connectSupplicant('unix:path=/nonexistent/bus'), {
    code: 'bus-unreachable',
    message: /nonexistent/,
  })
  await t.rejects(
    connectSupplicant('unix:path=/nonexistent/bus', {}, AbortSignal.abort(new Error('no need'))),
    {
      message: 'no need',
    },
  )
  await using lab = await SupplicantLab.raise(t)
  const { wpa } = await lab.connect()
  await using _ = wpa
  await t.rejects(wpa.interface({ name: 'eth9', driver: 'wired' }), {
    code: 'refused',
    message: /eth9|CreateInterface/,
  })
})
