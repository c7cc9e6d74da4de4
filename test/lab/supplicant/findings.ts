import t from 'tap'
import {
  type CredentialFacts,
  isSupplicantError,
  join,
  type NetworkBlock,
  type SupplicantInterface,
  triage,
} from '../../../supplicant/index.ts'
import { expectations } from '../../unit/supplicant/recordings.ts'
import { type Credentials, credentials, tlsBlock } from './credentials.ts'
import { SupplicantLab } from './lab.ts'
import { Pki } from './pki.ts'
import type { RadiusSettings } from './radius.ts'

/** How the network is set up for one case: hostapd's own EAP server, our RADIUS server, or nothing at all. */
type Network =
  | { eap: Partial<{ ca: string; server: Credentials['server']; users: string }> }
  | { radius: Partial<RadiusSettings>; tls?: 'tls1_2' | 'tls1_3' }
  | 'no authenticator'
  | 'no RADIUS server'

const MD5 = 4
const PEAP = '* PEAP\n"peapuser" MSCHAPV2 "peap-secret" [2]\n'

/** Each recording that two daemons on a wire can give again: its name, the network, and our side of it. */
function cases(all: Credentials): [string, Network, NetworkBlock][] {
  const tls = (change: Partial<NetworkBlock> = {}, leaf = all.client) => tlsBlock(all, change, leaf)
  const peap = (change: Partial<NetworkBlock> = {}): NetworkBlock => ({
    ...{ id_str: 'peap', key_mgmt: 'IEEE8021X', eap: 'PEAP', eapol_flags: 0, phase2: 'auth=MSCHAPV2' },
    ...{ identity: 'peapuser', password: 'peap-secret', ca_cert: all.root },
    ...change,
  })
  const { password: _, ...withoutPassword } = peap()
  const { client_cert: __, private_key: ___, ...withoutKey } = tls()
  const alerts: Network = { radius: {}, tls: 'tls1_2' }
  return [
    ['ok', { eap: {} }, tls()],
    ['suffix-match', { eap: {} }, tls({ domain_suffix_match: 'example.org' })],
    ['suffix-mismatch', { eap: {} }, tls({ domain_suffix_match: 'radius.example.com' })],
    ['unknown-ca', alerts, tls({ ca_cert: all.otherRoot })],
    ['int-unknown-ca', { eap: {} }, tls({ ca_cert: all.otherRoot })],
    ['srv-expired', { eap: { server: all.serverExpired } }, tls()],
    ['int-cli-expired', { eap: {} }, tls({}, all.clientExpired)],
    ['cli-future', { eap: {} }, tls({}, all.clientFuture)],
    ['int-cli-rogue', { eap: {} }, tls({}, all.clientRogue)],
    ['bad-key', { eap: {} }, tls({ private_key: all.junk })],
    ['bad-cert', { eap: {} }, tls({ client_cert: all.junk })],
    ['bad-ca', { eap: {} }, tls({ ca_cert: all.junk })],
    ['key-mismatch', { eap: {} }, tls({ private_key: all.clientRogue.key })],
    ['missing-blob', { eap: {} }, tls({ client_cert: 'blob://nobody' })],
    ['peap-ok', { eap: { users: PEAP } }, peap()],
    ['int-peap-badpw', { eap: { users: PEAP } }, peap({ password: 'wrong' })],
    ['peap-unknown-user', { eap: { users: PEAP } }, peap({ identity: 'nobody' })],
    ['peap-nopw', { eap: { users: PEAP } }, withoutPassword],
    ['method-nak', { radius: { method: MD5 } }, peap()],
    ['py-ok', alerts, tls()],
    ['py-cli-expired', alerts, tls({}, all.clientExpired)],
    ['py-cli-future', alerts, tls({}, all.clientFuture)],
    ['py-cli-rogue', alerts, tls({}, all.clientRogue)],
    [
      'py-cli-rogue13',
      { radius: {}, tls: 'tls1_3' },
      tls({ phase1: 'tls_disable_tlsv1_3=0' }, all.clientRogue),
    ],
    ['py-ver-mismatch', { radius: {}, tls: 'tls1_3' }, tls()],
    ['py-nocert', alerts, withoutKey],
    ['radius-dead', 'no RADIUS server', tls()],
    ['no-auth', 'no authenticator', tls()],
  ]
}

async function setUp(lab: SupplicantLab, all: Credentials, network: Network): Promise<void> {
  if (network === 'no authenticator') await lab.noAuthenticator()
  else if (network === 'no RADIUS server') {
    await lab.radius({ behaviour: 'silent' })
    await lab.authenticator({})
  } else if ('eap' in network) {
    const { ca = all.root, server = all.server, users = '* TLS\n' } = network.eap
    await lab.authenticator({ eap: { ca, users, ...server } })
  } else {
    const { tls } = network
    const socket = tls === undefined ? {} : { tls: await lab.tls({ ca: all.root, ...all.server }, tls) }
    await lab.radius({ ...socket, ...network.radius })
    await lab.authenticator({})
  }
}

/** The finding of one live attempt, and the milliseconds from SelectNetwork to it; undefined when it joined. */
async function findingOf(eth0: SupplicantInterface, block: NetworkBlock, facts: CredentialFacts) {
  const started = performance.now()
  try {
    await join(eth0, block, {}, AbortSignal.timeout(30_000))
    return undefined
  } catch (error) {
    if (!isSupplicantError(error) || error.attempt === undefined) throw error
    const found = triage(error.attempt, facts)
    return found && { ...found, ms: Math.round(performance.now() - started) }
  }
}

/** Milliseconds from SelectNetwork by which a finding is there; a rejection in any words has 10 s. */
const deadlines: Partial<Record<string, number>> = {
  ...{ 'radius-silent': 15_000, 'credential-unreadable': 5_000, 'password-missing': 5_000 },
}
/** The timers of a busy machine. */
const slack = 1_500

/** What is known of the credential, with the names and dates of this run instead of the recording's. */
function factsOf(facts: CredentialFacts): CredentialFacts {
  const { certificate } = facts
  if (certificate === undefined) return { ...facts, now: Date.now() }
  const issuers = certificate.issuers.map(name =>
    name.includes('Rogue') ? 'O=Rogue\nCN=Rogue CA' : 'CN=Lab Root CA, O=Lab',
  )
  return { ...facts, certificate: { ...certificate, issuers } }
}

t.test(
  'S2-79 S2-81 S2-83: real daemons give the findings of the recordings',
  { timeout: 120_000 },
  async t => {
    await using pki = await Pki.create()
    const all = await credentials(pki)
    const table = new Map((await expectations()).map(row => [row.name, row]))
    const live = cases(all)
    t.ok(live.length >= 20, `${live.length} of ${table.size} recordings`)
    const give = async (some: typeof live) => {
      await using lab = await SupplicantLab.raise(t)
      const { wpa, eth0 } = await lab.connect()
      await using _ = wpa
      for (const [name, network, block] of some) {
        const expected = table.get(name)
        if (expected === undefined) throw new Error(`no recording ${name}`)
        await setUp(lab, all, network)
        const found = await findingOf(eth0, block, factsOf(expected.facts))
        const shown = found === undefined ? name : `${name}: ${found.evidence.join(' | ')}`
        t.equal(found?.code ?? null, expected.finding, shown)
        t.equal(found?.side, expected.side, `${name}: side`)
        if (found !== undefined)
          t.ok(found.ms <= (deadlines[found.code] ?? 10_000) + slack, `${name}: after ${String(found.ms)} ms`)
        if (expected.title !== undefined) t.equal(found?.title, expected.title, `${name}: title`)
        if (expected.title !== undefined) t.equal(found?.detail, expected.detail, `${name}: detail`)
      }
    }
    // What ends by a deadline takes its time: beside the others, each in a lab of its own.
    const slow = live.filter(([, network]) => typeof network === 'string')
    const groups = [live.filter(one => !slow.includes(one)), ...slow.map(one => [one])]
    await Promise.all(groups.map(give))
  },
)
