import { createInterface } from 'node:readline'
import { openPath } from '../../../agent/path/index.ts'

/** Holds a path in a process of its own: `node driver eth0`. Prints a line for every event; reads `renew` and `close`. */
const say = (word: string, facts: unknown): void =>
  void process.stdout.write(`${word} ${JSON.stringify(facts)}\n`)

try {
  const path = await openPath(
    process.argv[2] ?? '',
    { dhcp: true, onEvent: event => say(event.kind, event) },
    AbortSignal.timeout(10_000),
  )
  say('open', { address: path.address, table: path.table, notInForce: path.notInForce })
  for await (const line of createInterface(process.stdin)) {
    if (line === 'renew') path.renew()
    if (line === 'close') break
  }
  await path.close()
  say('closed', {})
} catch (error) {
  say('failed', error)
}
process.exit()
