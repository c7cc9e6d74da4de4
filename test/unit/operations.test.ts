/** What an operator reads, held against what the agent does: the example settings and docs/operations.md. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { readSettings } from '../../agent/config.ts'
import { AgentError } from '../../agent/errors.ts'
import { readSerial } from '../../agent/identity.ts'
import { brokerLinkSettings } from '../../agent/mqtt-settings.ts'
import { topicsOf } from '../../agent/desired/topics.ts'
import { parseNetworkProfile, parseSensorDocument } from '../../agent/desired/parse.ts'
import { findings, findingsIn } from '../documents/findings.ts'
import { fieldsOf, schemaOf } from '../documents/schemas.ts'

const top = fileURLToPath(new URL('../..', import.meta.url))
const example = join(top, 'config/sonde.example.json')

t.test('the example settings are valid, and so are the documents in them', async t => {
  const { bootstrap } = await readSettings(example, {})
  for (const [id, profile] of Object.entries(bootstrap?.networks ?? {}))
    t.match(parseNetworkProfile(Buffer.from(JSON.stringify(profile)), id), { ok: true }, id)
  t.match(parseSensorDocument(Buffer.from(JSON.stringify(bootstrap?.sensor))), { ok: true })
})

t.test('the least settings of docs/operations.md are enough', async t => {
  const text = await readFile(join(top, 'docs/operations.md'), 'utf8')
  const [, least = ''] = /```json\n([\s\S]*?)```/.exec(text) ?? []
  const settings = await readSettings(join(t.testdir({ 'sonde.json': least }), 'sonde.json'), {})
  t.match(settings, { sensor: 'lobby-1', stateDirectory: '/var/lib/sonde' })
})

t.test(
  'settings that cannot be used name every problem, its path and what may be meant, and no secret',
  async t => {
    const good = JSON.parse(await readFile(example, 'utf8')) as Record<string, unknown>
    const mqtt = { url: 'mqtt://broker', password: 'canary-secret', pasword: 'canary-secret' }
    const bad = JSON.stringify({ ...good, mqtt, interfaces: 'eth0', logLevl: 'debug' })
    const cases: [string, string | undefined, RegExp[]][] = [
      [
        'several problems at once',
        bad,
        [
          /interfaces: is not a list/,
          /mqtt\.urls: is missing/,
          /mqtt\.url: unknown key \(did you mean "?urls/,
          /mqtt\.pasword: unknown key \(did you mean "?password/,
          /logLevl: unknown key \(did you mean "?logLevel/,
        ],
      ],
      [
        'a country',
        JSON.stringify({
          ...good,
          interfaces: [
            { name: 'eth0', kind: 'wired', country: 'DE' },
            { name: 'wlan0', kind: 'wireless', country: 'Germany' },
          ],
        }),
        [
          /interfaces\[0\]\.country: .*for a wireless interface/,
          /interfaces\[1\]\.country: not a country: .*e\.g\. DE/,
        ],
      ],
      [
        'what contradicts each other',
        JSON.stringify({
          ...good,
          interfaces: ['eth0', 'eth0'].map(name => ({ name, kind: 'wired' })),
          management: { interface: 'eth0' },
          mqtt: { urls: ['mqtts://broker'], key: '/etc/sonde/key.pem' },
        }),
        [
          /interfaces\[1\]\.name: is there twice/,
          /management\.interface: is among the tested interfaces \(write "management": "tested"/,
          /mqtt\.certificate: is missing/,
        ],
      ],
      [
        'forms',
        JSON.stringify({
          ...{ ...good, bus: 'system', stateDirectory: 'state' },
          mqtt: { urls: ['http://broker', 'mqtt://', 'mqtts://me:canary@broker'], prefix: 'a//b/' },
          bootstrap: { networks: { 'an id': {} } },
        }),
        [
          /bus: not a D-Bus address, e\.g\. unix:/,
          /stateDirectory: not an absolute path/,
          /mqtt\.urls\[0\]: not the URL of a broker, e\.g\. mqtts:/,
          /mqtt\.urls\[1\]: not the URL of a broker/,
          /mqtt\.urls\[2\]: holds a user or a password: they belong in mqtt\.username/,
          /mqtt\.prefix: not a topic: /,
          /bootstrap\.networks\.an id: not an id: 1 to 64 of/,
        ],
      ],
      [
        'forms of another kind',
        JSON.stringify({
          ...good,
          mqtt: 'mqtt://u:canary@broker',
          management: 'eth1',
          bootstrap: { networks: [] },
        }),
        [
          /mqtt: is not an object/,
          /management: is neither an object nor "tested"/,
          /bootstrap\.networks: is not an object/,
        ],
      ],
      [
        'a mistyped key where a word would do as well',
        JSON.stringify({ ...good, mqtt: [], management: { interfaces: 'eth1' } }),
        [
          /mqtt: is not an object/,
          /management\.interface: is missing/,
          /management\.interfaces: unknown key \(did you mean "interface"/,
        ],
      ],
      ['a list', '[]', [/sonde\.json: is not an object/]],
      ['no JSON', '{ "password": canary-secret }', [/: it is not valid JSON/]],
      ['an empty file', '', [/: it is not valid JSON, it ends too early/]],
      ['no file', undefined, [/: there is no such file/]],
    ]
    for (const [name, text, problems] of cases) {
      const file = join(t.testdir(), 'sonde.json')
      if (text !== undefined) await writeFile(file, text)
      const error = await readSettings(file, {}).catch((error: unknown) => error as AgentError)
      if (!(error instanceof AgentError)) throw new Error(`${name}: nothing was refused`)
      t.equal(error.finding.code, 'settings-invalid', name)
      for (const problem of problems) t.match(error.finding.detail, problem, name)
      t.notMatch(JSON.stringify(error.finding) + error.message, /canary/, `${name}: without a secret`)
    }
  },
)

t.test('settings as an editor saved them with a byte order mark are read', async t => {
  const file = join(t.testdir(), 'sonde.json')
  await writeFile(file, '\ufeff' + (await readFile(example, 'utf8')))
  t.same(await readSettings(file, {}), await readSettings(example, {}))
})

t.test('the serial is that of the settings, else of the board, else the machine id', async t => {
  const board = { 'device-tree': { 'serial-number': '10000000abcdef01\0' } }
  const etc = { 'machine-id': '0123456789abcdef0123456789abcdef\n' }
  const pi = `${t.testdir({ proc: board, etc })}/`
  t.equal(await readSerial({ serial: 'hall-3' }, pi), 'hall-3')
  t.equal(await readSerial({}, pi), '10000000abcdef01', "a Pi's, without the NUL that ends it")
  t.equal(await readSerial({}, `${t.testdir({ etc })}/`), '0123456789abcdef0123456789abcdef')
  const nowhere = await readSerial({}, `${t.testdir({})}/`).catch((error: unknown) => error as AgentError)
  t.match(nowhere, { finding: { code: 'no-serial', hint: 'set "serial" in the settings' } })
})

t.test('files that the settings name are looked into before the broker is, and not quoted', async t => {
  const settings = await readSettings(example, {})
  const file = join(t.testdir({ 'key.pem': 'canary-secret' }), 'key.pem')
  const cases = [
    [{ ca: file }, /mqtt\.ca: .*key\.pem holds no certificate in PEM/],
    [{ certificate: file, key: file }, /mqtt\.certificate: .* holds no certificate in PEM/],
    [{ key: file }, /mqtt\.key: .* holds no private key in PEM/],
    [{ ca: `${file}.not` }, /mqtt\.ca: .* cannot be read/],
  ] as const
  for (const [mqtt, detail] of cases) {
    const { urls, prefix, keepalive, revertAfter } = settings.mqtt
    const only = { ...settings, mqtt: { urls, prefix, keepalive, revertAfter, ...mqtt } }
    const error = await brokerLinkSettings(only, { topics: topicsOf(prefix, 's') }).catch(
      (error: unknown) => error as AgentError,
    )
    if (!(error instanceof AgentError)) throw new Error('nothing was refused')
    t.match(error.finding, { code: 'settings-invalid', detail })
    t.notMatch(JSON.stringify(error.finding) + String(error.stack), /canary/)
  }
})

t.test('the example shows every setting', async t => {
  const shown: unknown = JSON.parse(await readFile(example, 'utf8'))
  const missing = fieldsOf(schemaOf('settings'))
    .map(({ path }) => path)
    .filter(path => !path.startsWith('bootstrap.') && valueAt(shown, path.split('.')) === undefined)
  t.same(missing, [])
})

function valueAt(value: unknown, [step, ...rest]: string[]): unknown {
  if (step === undefined) return value
  const inner = (value as Record<string, unknown> | undefined)?.[step.replace('[]', '')]
  if (!step.endsWith('[]')) return valueAt(inner, rest)
  const items = (inner as unknown[] | undefined) ?? []
  return items.map(item => valueAt(item, rest)).find(found => found !== undefined)
}

t.test('every code that is reported, and every phase, is in docs/operations.md', async t => {
  const text = await readFile(join(top, 'docs/operations.md'), 'utf8')
  const unions: [file: string, type: string, prefix: string][] = [
    ['agent/path/errors.ts', 'PathCode', ''],
    ['agent/scep/errors.ts', 'ScepCode', 'scep-'],
    ['supplicant/errors.ts', 'SupplicantErrorCode', ''],
    ['agent/scep/errors.ts', 'Warning', ''],
    ['agent/core/report.ts', 'Phase', ''],
  ]
  for (const [file, type, prefix] of unions) {
    const source = await readFile(join(top, file), 'utf8')
    const union = new RegExp(`export (?:type|interface) ${type}\\b([\\s\\S]*?)\\n\\n`).exec(source)?.[1] ?? ''
    const codes = [...union.matchAll(/\| '([\w-]+)'/g)].map(match => prefix + (match[1] ?? ''))
    t.ok(codes.length > 10, `${type} has codes`)
    t.same(
      // The agent gives the client no second choice, which it could fall back to.
      codes.filter(code => code !== 'fallback-used' && !text.includes(`\`${code}\``)),
      [],
      `in docs/operations.md: npm run documents`,
    )
  }
})

t.test('findings are found in the forms the sources have them in', async t => {
  const found = findingsIn([
    "throw new AgentError({ code: 'one', title: 'One', detail: `${x}`, hint: 'do', side: 'sensor', retry: 'never' })",
    "const meanings = { two: { title: `Two ${x}`, side: 'network', hint: HINT } }; const HINT = 'late'",
    "const fault = (code, title, hint) => new E({ code, kind: 'unreachable', title, hint })",
    "throw fault('three', 'Three', 'again')",
    "const four = hint => new E({ code: 'four', kind: 'x', title: 'Four', hint }); four('this'); four(known ? 'that' : 'those')",
    "throw new E({ code: 'five', title: 'Five', side: 'server', hint: hints[x] ?? 'else' })",
    "throw new E({ code: late ? 'six' : 'seven', title: 'Six', side: 'server', hint: 'six' })",
  ])
  t.same(found, [
    { code: 'one', side: 'sensor', title: 'One', hint: 'do' },
    { code: 'two', side: 'network', title: 'Two …', hint: 'late' },
    { code: 'three', side: 'network', title: 'Three', hint: 'again' },
    { code: 'four', side: 'server', title: 'Four', hint: 'this. that. Or: those' },
    { code: 'five', side: 'server', title: 'Five', hint: 'else' },
  ])
  const all = await findings(top)
  t.same(
    all.filter(({ hint }) => hint === ''),
    [],
    'each says what to do',
  )
  const codes = all.map(({ code }) => code)
  t.ok(codes.length > 90, `${codes.length} findings`)
  for (const code of ['identity-in-use', 'server-untrusted', 'dhcp-no-offer', 'scep-connect-timeout'])
    t.ok(codes.includes(code), code)
})
