/** `npm run bench -- NAME`: runs test/bench/NAME.ts; without a name, lists what there is. */
import { readdirSync } from 'node:fs'
import { program } from './program.mjs'

const [name, ...args] = process.argv.slice(2)
const say = line => process.stderr.write(`${line}\n`)

if (name !== undefined && /^[\w-]+$/.test(name)) await program(`test/bench/${name}.ts`, args, say)
else {
  const folder = new URL('../bench/', import.meta.url)
  const names = readdirSync(folder).filter(file => file.endsWith('.ts'))
  say(`npm run bench -- NAME, where NAME is one of: ${names.map(file => file.slice(0, -3)).join(' ')}`)
  process.exitCode = 2
}
