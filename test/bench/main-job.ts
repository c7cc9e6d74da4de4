/**
 * `npm run bench -- main-job`: from publishing the documents to a lease in the tested network, beside two shell scripts that do
 * the same by hand with the same DHCP client, daemons and network. Peers first and last in every round, medians of seven.
 */
import { raise } from '../lab/lab.ts'
import { AddressWatch, type Bench } from './main-job/address.ts'
import { runAgent } from './main-job/agent.ts'
import { contenders, figures, table, type Contender, type Time } from './main-job/figures.ts'
import { runPeer } from './main-job/peers.ts'
import { quiet } from './main-job/quiet.ts'

/** `--rounds N` for a quick look; seven otherwise. Exit code 1 when the run is void. */
export async function run(args: string[], signal: AbortSignal): Promise<number> {
  const rounds = args[0] === '--rounds' ? Number(args[1]) : 7
  if (!Number.isInteger(rounds) || rounds < 1 || (args.length > 0 && args.length !== 2)) {
    process.stderr.write('npm run bench -- main-job [--rounds N]\n')
    return 2
  }
  // A broker as it is in the field: saving after every message takes longer than the messages.
  await using lab = await raise(undefined, { broker: { saveAtOnce: false }, signals: false })
  const addresses = await AddressWatch.start(lab)
  const times: Record<Contender, Time[]> = {
    best: [],
    agent: [],
    agentWarmKey: [],
    bestWarmKey: [],
    naive: [],
  }
  let busy = 0
  const settled = async (): Promise<void> => {
    if (!(await quiet(5_000, signal))) busy += 1
  }
  for (let round = 1; round <= rounds; round += 1)
    for (const contender of contenders) {
      const time = await measure[contender]({ lab, addresses, settled })
      times[contender].push(time)
      process.stderr.write(`round ${round} of ${rounds}: ${contender} ${Math.round(time.total)} ms\n`)
    }
  const result = figures(times)
  if (busy > 0) process.stderr.write(`${busy} measurements began on a busy machine\n`)
  console.log([...table(times), ...(result.void === undefined ? [] : [`void: ${result.void}`])].join('\n'))
  console.log(JSON.stringify(result))
  return result.void === undefined ? 0 : 1
}

const measure: Readonly<Record<Contender, (bench: Bench) => Promise<Time>>> = {
  best: bench => runPeer('best', bench),
  agent: bench => runAgent(false, bench),
  agentWarmKey: bench => runAgent(true, bench),
  bestWarmKey: bench => runPeer('best-warm-key', bench),
  naive: bench => runPeer('naive', bench),
}
