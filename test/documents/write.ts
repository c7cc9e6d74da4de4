/** `npm run documents`: writes what is made from the schemas. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { generated, top } from './files.ts'

for (const [path, content] of await generated()) {
  await mkdir(dirname(join(top, path)), { recursive: true })
  await writeFile(join(top, path), content)
}
