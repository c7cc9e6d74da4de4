/** `npm run demo`: the whole story on real daemons. `-- --stay` keeps it running, `-- --json` prints events as lines. */
import { program } from './program.mjs'

// Standard output belongs to the demonstration, whose --json form is read by programs.
await program('test/demo/main.ts', process.argv.slice(2), line => process.stderr.write(`${line}\n`))
