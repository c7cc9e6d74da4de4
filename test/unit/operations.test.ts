/** What an operator reads, held against what the agent does: the example settings and docs/operations.md. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { readSettings } from '../../agent/config.ts'
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
  return valueAt(step.endsWith('[]') ? (inner as unknown[] | undefined)?.[0] : inner, rest)
}

t.test('every code of a path or of SCEP is in docs/operations.md', async t => {
  const text = await readFile(join(top, 'docs/operations.md'), 'utf8')
  const unions: [file: string, type: string, prefix: string][] = [
    ['agent/path/errors.ts', 'PathCode', ''],
    ['agent/scep/errors.ts', 'ScepCode', 'scep-'],
  ]
  for (const [file, type, prefix] of unions) {
    const source = await readFile(join(top, file), 'utf8')
    const union = new RegExp(`export type ${type} =([\\s\\S]*?)\\n\\n`).exec(source)?.[1] ?? ''
    const codes = [...union.matchAll(/\| '([\w-]+)'/g)].map(match => prefix + (match[1] ?? ''))
    t.ok(codes.length > 10, `${type} has codes`)
    t.same(
      codes.filter(code => !text.includes(`\`${code}\``)),
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
  ])
  t.same(found, [
    { code: 'one', side: 'sensor', title: 'One', hint: 'do' },
    { code: 'two', side: 'network', title: 'Two …', hint: 'late' },
    { code: 'three', side: 'network', title: 'Three', hint: 'again' },
  ])
  const codes = (await findings(top)).map(({ code }) => code)
  t.ok(codes.length > 90, `${codes.length} findings`)
  for (const code of ['identity-in-use', 'server-untrusted', 'dhcp-no-offer', 'scep-connect-timeout'])
    t.ok(codes.includes(code), code)
})
