/** Every file that is made from the schemas, and from the findings in the sources: what it has to hold. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { asyncapi } from './asyncapi.ts'
import { findings, withFindings } from './findings.ts'
import { withTables } from './reference.ts'
import { documentNames, schemaOf } from './schemas.ts'

export const top = fileURLToPath(new URL('../..', import.meta.url))

/** By path from the top of the tree. */
export async function generated(): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const name of documentNames) {
    files.set(`config/schema/${name}.json`, `${JSON.stringify(schemaOf(name), null, 2)}\n`)
  }
  files.set('docs/asyncapi.yaml', await asyncapi())
  files.set('docs/mqtt.md', withTables(await readFile(join(top, 'docs/mqtt.md'), 'utf8')))
  const operations = withTables(await readFile(join(top, 'docs/operations.md'), 'utf8'))
  files.set('docs/operations.md', withFindings(operations, await findings(top)))
  return files
}
