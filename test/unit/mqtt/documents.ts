/** What is published about the documents, held against the schemas the agent validates with. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import * as z from 'zod/mini'
import { commandNames, Command, Presence, type Reply } from '../../../agent/desired/messages.ts'
import { NetworkProfile } from '../../../agent/desired/profile.ts'
import { type Reported } from '../../../agent/desired/reported.ts'
import { SensorDocument } from '../../../agent/desired/sensor.ts'
import type * as core from '../../../agent/core/report.ts'
import type { Finding } from '../../../agent/errors.ts'
import type { DesiredView } from '../../../agent/desired/state.ts'
import { channels } from '../../documents/asyncapi.ts'
import { descriptions } from '../../documents/descriptions.ts'
import { generated, top } from '../../documents/files.ts'
import { tabled } from '../../documents/reference.ts'
import { documentNames, fieldsOf, schemaOf } from '../../documents/schemas.ts'

const how = 'write them anew: npm run documents'

t.test(
  'the JSON Schemas, the tables of docs/mqtt.md and docs/asyncapi.yaml are those of the schemas',
  async t => {
    for (const [path, content] of await generated()) {
      const found = await readFile(join(top, path), 'utf8').catch(() => '')
      t.equal(found, content, `${path}: ${how}`)
    }
    const text = await readFile(join(top, 'docs/mqtt.md'), 'utf8')
    t.same(
      tabled(text).sort(),
      documentNames.filter(name => name !== 'settings').sort(),
      'every document has its table',
    )
    for (const { address } of channels) t.match(text, address.replaceAll('{', '<').replaceAll('}', '>'))
  },
)

t.test('every field is described, and nothing that is no field', t => {
  for (const name of documentNames) {
    const fields = fieldsOf(schemaOf(name)).map(({ path }) => path)
    const told = Object.keys(descriptions[name])
    // A setting of the device is described where it is made, too.
    if (name !== 'settings')
      t.same(
        fields.filter(path => !told.includes(path)),
        [],
        `${name}: in test/documents/`,
      )
    t.same(
      told.filter(path => !fields.includes(path)),
      [],
      `${name}: described but not there`,
    )
  }
  t.end()
})

t.test('the examples of docs/mqtt.md are documents of their kind', async t => {
  const text = await readFile(join(top, 'docs/mqtt.md'), 'utf8')
  const examples = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(
    match => JSON.parse(match[1] ?? '') as unknown,
  )
  const kinds = [NetworkProfile, SensorDocument, Presence, Command]
  t.equal(examples.length, kinds.length)
  for (const [index, schema] of kinds.entries())
    t.ok(z.safeParse(schema, examples[index]).success, `example ${index + 1}`)
})

t.test('commands have one list of names', t => {
  const inSchema = fieldsOf(schemaOf('command')).find(({ path }) => path === 'command')?.schema.enum
  t.same([...commandNames].sort(), [...(inSchema ?? [])].sort())
  t.end()
})

/** What the agent reports fits what it publishes about it: the compiler tells, key by key. */
type Fits<Made extends Published, Published> = Made
type Known<Made, Published> =
  Exclude<keyof Made, keyof Published> extends never ? true : Exclude<keyof Made, keyof Published>
type Documents = Pick<Reported, 'applied' | 'problems' | 'awaiting' | 'rejected' | 'schemas'>
type ReportedNetwork = Reported['networks'][string]
export type _Fits = [
  Fits<core.Reported, Omit<Reported, keyof Documents>>,
  Fits<DesiredView['applied'], Reported['applied']>,
  Fits<DesiredView['problems'], Reported['problems']>,
  Fits<DesiredView['awaited'], Reported['awaiting']>,
  Fits<Finding, Reply['problem']>,
]
const known: [
  Known<core.Reported, Reported>,
  Known<core.Reported['about'], Reported['about']>,
  Known<core.ReportedNetwork, ReportedNetwork>,
  Known<NonNullable<core.ReportedNetwork['certificate']>, NonNullable<ReportedNetwork['certificate']>>,
  Known<NonNullable<core.ReportedNetwork['problem']>, NonNullable<ReportedNetwork['problem']>>,
  Known<core.Reported['interfaces'][string], Reported['interfaces'][string]>,
] = [true, true, true, true, true, true]

t.test('what the agent reports has no key that is not published', t => {
  t.ok(known.every(Boolean), 'held by the compiler')
  t.end()
})
