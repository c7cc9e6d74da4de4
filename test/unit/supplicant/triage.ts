import { readdir } from 'node:fs/promises'
import t from 'tap'
import { type FindingCode, FINDINGS } from '../../../supplicant/findings.ts'
import { type Attempt, beginAttempt, type Medium } from '../../../supplicant/attempt.ts'
import { DEADLINES } from '../../../supplicant/deadlines.ts'
import type { JoinFailure } from '../../../supplicant/errors.ts'
import { type CredentialFacts, triage } from '../../../supplicant/triage.ts'
import { expectations, replay } from './recordings.ts'

t.test('each recording, with what we know of our credential, gives its finding', async t => {
  const table = await expectations()
  const files = await readdir(new URL('../../fixtures/supplicant-signals/', import.meta.url))
  t.same(table.map(row => `${row.name}.jsonl`).sort(), files.filter(name => name.endsWith('.jsonl')).sort())
  t.equal(table.length, 37)
  for (const { name, facts, finding, side, title, detail } of table) {
    const found = triage(await replay(name), facts)
    t.equal(found?.code ?? null, finding, name)
    t.equal(found?.side, side, `${name}: side`)
    if (title !== undefined) t.equal(found?.title, title, `${name}: title`)
    if (detail !== undefined) t.equal(found?.detail, detail, `${name}: detail`)
    if (found !== undefined)
      t.ok(found.evidence.length > 0 && found.hint !== '', `${name}: evidence and hint`)
  }
})

t.test(
  'S2-79 S2-81: a RADIUS server we do not trust is named letter for letter, with the fix of S2-82',
  async t => {
    const found = triage(await replay('unknown-ca'))
    t.equal(found?.title, '802.1X failed with unknown CA')
    t.equal(found?.detail, 'local TLS alert: Unknown CA')
    t.match(found?.hint, /Advanced > Specify Server CA/)
    t.equal(found?.side, 'configuration')
  },
)

t.test(
  'S2-79 S2-83: a RADIUS server that does not trust us is named letter for letter, with the fix of S2-84',
  async t => {
    const found = triage(await replay('py-cli-rogue'))
    t.equal(found?.title, '802.1X failed with unknown CA')
    t.equal(found?.detail, 'remote TLS alert: Unknown CA')
    t.match(found?.hint, /SCEP root and chain to the trust list of the RADIUS server/)
    t.equal(found?.side, 'server')
  },
)

t.test('S2-80: the finding carries what the supplicant said, line by line', async t => {
  const found = triage(await replay('unknown-ca'))
  t.match(found?.evidence.join('\n'), /EAP local TLS alert: unknown CA/)
  t.match(found?.evidence.join('\n'), /server certificate depth 0: .*radius\.example\.org/)
})

t.test('a silent reject without facts is rejected, cause unknown', async t => {
  const byFacts = /^rejected-(?:expired|not-yet-valid|untrusted-issuer)$/
  const silent = (await expectations()).filter(({ finding }) => byFacts.test(finding ?? ''))
  t.equal(silent.length, 9, 'each recording in which nobody says why')
  for (const { name } of silent) {
    const found = triage(await replay(name))
    t.equal(found?.code, 'rejected-cause-unknown', name)
    t.match(found?.title, /rejected, cause unknown/, name)
  }
})

t.test(
  'the likely causes of a silent reject are ranked: expired, not yet valid, untrusted issuer, identity',
  async t => {
    const attempt = await replay('cli-rogue')
    const found = triage(attempt, {
      now: Date.UTC(2026, 9, 1),
      identity: 'sensor1',
      certificate: { notBefore: 0, notAfter: Date.UTC(2026, 0, 1), issuers: ['O=Elsewhere\nCN=Rogue CA'] },
    })
    t.match(found?.likely, [/expired/, /issuer O=Elsewhere, CN=Rogue CA$/, /sensor1/])
  },
)

t.test('an expired server certificate is a matter of the clock when nobody has set it', async t => {
  t.equal(triage(await replay('srv-expired'), { clockTrusted: false })?.side, 'clock')
})

t.test('an alert says expired, and by our own facts it is not: a clock is wrong', async t => {
  const certificate = { notBefore: 0, notAfter: Date.UTC(2040, 0, 1), issuers: [] }
  t.equal(triage(await replay('py-cli-expired'), { now: Date.UTC(2026, 9, 1), certificate })?.side, 'clock')
})

t.test('an alert blames a certificate only where one was refused', async t => {
  const cases: [Partial<Attempt>, CredentialFacts, FindingCode][] = [
    [{ localAlert: 'protocol version' }, {}, 'tls-version'],
    [{ localAlert: 'handshake failure' }, {}, 'tls-no-common-cipher'],
    [{ localAlert: 'bad record mac', verification: 'success' }, {}, 'tls-failed'],
    [{ localAlert: 'decode error' }, {}, 'tls-failed'],
    [{ localAlert: 'bad certificate', verification: 'CA key too small' }, {}, 'server-certificate-refused'],
    [{ remoteAlert: 'insufficient security' }, {}, 'tls-no-common-cipher'],
    [{ remoteAlert: 'internal error' }, {}, 'tls-failed'],
    [{ remoteAlert: 'bad certificate', verification: 'success' }, {}, 'client-certificate-refused'],
    [{}, { problems: [] }, 'rejected-before-certificate'],
    [{}, { problems: ['the key is no key'] }, 'credential-unreadable'],
    [{}, {}, 'credential-unreadable'],
  ]
  for (const [part, facts, code] of cases) {
    const outcome = { kind: 'failed', code: 'rejected', ms: 1 } as const
    const found = triage({ ...beginAttempt(true), method: 'TLS', outcome, ...part }, facts)
    t.equal(found?.code, code, `${JSON.stringify(part)} ${JSON.stringify(facts)}`)
  }
})

t.test('a server that goes on when its time is over is slow, and not blamed for silence', async t => {
  const failed = (heard: number, deadlines = {}, restarted?: number): Attempt => ({
    ...beginAttempt(true, deadlines),
    ...{ method: 'TLS', stage: 'server-certificate' as const },
    times: { 'eap-started': 20, method: heard / 2, 'server-certificate': heard },
    ...(restarted !== undefined && { restarted }),
    outcome: { kind: 'failed', code: 'radius-silent', ms: { ...DEADLINES, ...deadlines }.radiusSlow },
  })
  const slow = triage(failed(12_000))
  t.match(slow, { code: 'eap-slow', side: 'server', title: /takes too long/, hint: /It answers/ })
  t.equal(slow?.detail, 'EAP had come to stage server-certificate after 15 s')
  t.match(triage(failed(2_000)), {
    code: 'eap-stalled',
    detail: 'nothing came after EAP stage server-certificate',
  })
  t.match(triage(failed(10_100, {}, 10_000)), { code: 'eap-stalled' }, 'begun once more, and silent again')
  t.match(triage(failed(24_000, { radiusSlow: 30_000 })), { code: 'eap-slow', detail: /after 30 s/ })
})

t.test('a finding speaks of what the network is joined over', async t => {
  const failed = (medium: Medium, code: JoinFailure): Attempt => ({
    ...beginAttempt(true, {}, 'none', medium),
    outcome: { kind: 'failed', code, ms: 1 },
  })
  const said = (attempt: Attempt): string => {
    const { title = '', detail = '', hint = '' } = triage(attempt) ?? {}
    return `${title} | ${detail} | ${hint}`
  }
  const codes: JoinFailure[] = [
    ...(['rejected', 'radius-silent', 'no-authenticator', 'parameter-needed', 'no-carrier'] as const),
    ...([
      'access-point-lost',
      'interface-disabled',
      'not-found',
      'association-rejected',
      'handshake-timeout',
    ] as const),
  ]
  for (const code of codes) {
    if (code !== 'no-carrier')
      t.notMatch(
        said(failed('wireless', code)),
        /switch port|\bswitch\b|cable|wired|EAPOL|VLAN/,
        `${code} on the air`,
      )
    if (code !== 'access-point-lost')
      t.notMatch(said(failed('wired', code)), /access point|radio\b|SSID|signal|band/, `${code} on a wire`)
  }
  t.equal(
    said(failed('wireless', 'no-authenticator')),
    'The access point does not begin 802.1X | associated, and then no EAP request came | ' +
      'Check the 802.1X settings of this SSID at the access point or its controller, and how strongly the sensor hears it.',
  )
  t.match(said(failed('wired', 'no-authenticator')), /^The port does not speak 802\.1X/)
  t.match(
    said(failed('wireless', 'association-rejected')),
    /^The access point was lost on the way \| the access point does not answer/,
    'nobody refused who did not answer',
  )
})

t.test('every finding has a title without a period and a hint with one', async t => {
  for (const [code, { title, hint, detail }] of Object.entries(FINDINGS)) {
    t.notMatch(title, /\.$/, code)
    t.match(hint, /[.]$/, code)
    t.ok(detail !== '', code)
  }
})
