/** `npm run demo`: the whole story on real daemons. `-- --stay` keeps it running, `-- --json` prints events as lines. */
import { readWords, usage } from './words.mjs'
import { program } from './program.mjs'

// Whoever reads may go away (`| head`), or the terminal be closed; what runs is taken down all the same.
process.stderr.on('error', () => {})

let words
try {
  words = readWords(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error.message}\n\n${usage}`)
  process.exitCode = 2
}

if (words?.help) process.stdout.write(usage)
// Standard output belongs to the demonstration, whose --json form is read by programs.
else if (words) await program('test/demo/main.ts', words, line => process.stderr.write(`${line}\n`))
