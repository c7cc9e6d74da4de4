/** Raises a lab, says which, and then ends as its argument says: what lab.test.ts finds of it afterwards is a defect. */
import { raise } from '../lab.ts'

const lab = await raise()
const pids = lab.site.daemons.map(daemon => daemon.pid)
process.stdout.write(`${JSON.stringify({ id: lab.site.spaces.id, pids })}\n`)
setInterval(() => undefined, 60_000)
if (process.argv[2] === 'throw')
  setImmediate(() => {
    throw new Error('nobody catches this')
  })
