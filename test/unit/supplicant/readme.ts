import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'

const folder = new URL('../../../supplicant/', import.meta.url)

/** A chapter of the README, up to the next of its rank. */
async function chapter(title: string): Promise<string> {
  const readme = await readFile(new URL('README.md', folder), 'utf8')
  return readme.split(/^## /m).find(text => text.startsWith(`${title}\n`)) ?? ''
}

/** Calls, properties that are set, and signals, as the code names them. */
const spoken = [
  /\bcall\((?:[\w.]+, )*'(?<name>[A-Z]\w+)'/g,
  /\bmember(?: ===|:) '(?<name>[A-Z]\w+)'/g,
  /#set\([\w.]+, \w+, '(?<name>[A-Z]\w+)'/g,
  // A field that is asked for is all in capitals.
  /case '(?<name>EAP|[A-Z][a-z]\w+)':/g,
]

/** Of org.freedesktop.DBus.Properties: what they are used on is in the README. */
const accessors = ['Get', 'GetAll', 'Set']

t.test('the README names every method, property and signal of the supplicant that is used', async t => {
  const said = new Set((await chapter('Methods and signals used')).match(/\w+/g))
  const files = (await readdir(folder)).filter(
    name => name.endsWith('.ts') && !name.startsWith('readme-example'),
  )
  const names = new Set<string>()
  for (const file of files) {
    const text = await readFile(new URL(file, folder), 'utf8')
    for (const pattern of spoken)
      for (const { groups } of text.matchAll(pattern)) names.add(groups?.['name'] ?? '')
  }
  t.ok(names.size > 25, `${names.size} names`)
  t.same(
    [...names].filter(name => !accessors.includes(name) && !said.has(name)),
    [],
  )
})

t.test('the README names every code of an error', async t => {
  const errors = await readFile(new URL('errors.ts', folder), 'utf8')
  const table = /const RETRY[^{]*\{(?<codes>[^}]*)\}/.exec(errors)?.groups?.['codes'] ?? ''
  const codes = [...table.matchAll(/^ *'?(?<code>[\w-]+)'?:/gm)].map(({ groups }) => groups?.['code'] ?? '')
  t.ok(codes.length > 20, `${codes.length} codes`)
  const said = await chapter('Possible errors')
  t.same(
    codes.filter(code => !said.includes(`\`${code}\``)),
    [],
  )
})
