/**
 * `npm run bench -- scep`: one enrolment with an existing RSA-2048 key inside a running process, beside Debian's scepclient with
 * the same key against the same scepserver. The peer goes first and last in every round; medians. Then messages built and opened
 * per second, and the longest time the event loop stood still during an RSA-4096 enrolment.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEnvelope } from '../../agent/scep/enveloped-data.ts'
import { buildPkiMessage } from '../../agent/scep/pki-message.ts'
import { debianServer, scepClient, type DebianServer } from '../lab/scep/debian.ts'
import { longestTurn } from '../lab/scep/standstill.ts'
import { fixtureKey, rootCa } from '../scep-server/authority.ts'
import { envelope } from '../scep-server/cert-rep.ts'
import { enrol } from '../unit/scep/enrolling.ts'

const challenge = 'bench'

/** `--rounds N` for a quick look; fifteen otherwise. */
export async function run(args: string[], signal: AbortSignal): Promise<number> {
  const rounds = args[0] === '--rounds' ? Number(args[1]) : 15
  if (!Number.isInteger(rounds) || rounds < 1 || (args.length > 0 && args.length !== 2)) {
    process.stderr.write('npm run bench -- scep [--rounds N]\n')
    return 2
  }
  const folder = await mkdtemp(join(tmpdir(), 'sonde-bench-scep-'))
  try {
    await using server = await debianServer({ folder, challenge, caKey: 4096 })
    const bench = new Bench(server, folder)
    await bench.prepare()
    const result = await bench.measure(rounds, signal)
    console.log(JSON.stringify({ bench: 'scep', ...result }))
    return 0
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Cost {
  wall: number
  cpu: number
}

class Bench {
  readonly #server: DebianServer
  readonly #folder: string
  readonly #key = fixtureKey('rsa-2048-d')
  #count = 0

  constructor(server: DebianServer, folder: string) {
    this.#server = server
    this.#folder = folder
  }

  async prepare(): Promise<void> {
    await writeFile(join(this.#folder, 'key.pem'), this.#key.export({ type: 'pkcs1', format: 'pem' }))
  }

  async measure(rounds: number, signal: AbortSignal) {
    const first = await this.#ours()
    await this.#ours()
    const peers: number[] = []
    const ours: Cost[] = []
    for (let round = 1; round <= rounds; round += 1) {
      signal.throwIfAborted()
      peers.push(await this.#peer())
      ours.push(await this.#ours())
      peers.push(await this.#peer())
    }
    const peerCpu = await this.#peerCpu(Math.min(rounds, 5))
    const wall = median(ours.map(each => each.wall))
    const cpu = median(ours.map(each => each.cpu))
    const peer = median(peers)
    const { built, opened } = await messagesPerSecond()
    const blocked = await this.#blocked()
    const rows = [
      `one enrolment, existing RSA-2048 key   ours ${ms(wall)}   scepclient ${ms(peer)}   wall ratio ${(wall / peer).toFixed(2)}`,
      `processor time of the client           ours ${ms(cpu)}   scepclient ${ms(peerCpu)}   ratio ${(cpu / peerCpu).toFixed(2)}`,
      `the first enrolment of a fresh process ${ms(first.wall)}`,
      `messages per second                    ${Math.round(built)} built, ${Math.round(opened)} opened`,
      `longest standstill, RSA-4096           ${ms(blocked)} (aim: under 20)`,
    ]
    console.log(rows.join('\n'))
    return {
      ratio: round2(wall / peer),
      cpuRatio: round2(cpu / peerCpu),
      wall: round2(wall),
      peer: round2(peer),
      first: round2(first.wall),
      built: Math.round(built),
      opened: Math.round(opened),
      blocked: round2(blocked),
      rounds,
    }
  }

  async #ours(key = this.#key): Promise<Cost> {
    const began = performance.now()
    const before = process.cpuUsage()
    await enrol(this.#server.url, {
      key,
      commonName: `ours-${(this.#count += 1)}`,
      challengePassword: challenge,
    })
    const { user, system } = process.cpuUsage(before)
    return { wall: performance.now() - began, cpu: (user + system) / 1000 }
  }

  async #fresh(): Promise<string> {
    const folder = join(this.#folder, `peer-${(this.#count += 1)}`)
    await mkdir(folder)
    return folder
  }

  async #peer(): Promise<number> {
    const folder = await this.#fresh()
    const done = await scepClient({
      url: this.#server.url,
      challenge,
      commonName: `peer-${this.#count}`,
      key: join(this.#folder, 'key.pem'),
      folder,
    })
    if (done.code !== 0) throw new Error(`scepclient: ${done.said}`)
    return done.wall
  }

  /** The shell's `time` knows what a child cost; it is measured apart, so that the shell is not in the wall time. */
  async #peerCpu(runs: number): Promise<number> {
    const costs: number[] = []
    for (let i = 0; i < runs; i += 1) {
      const folder = await this.#fresh()
      const args = [
        '-server-url',
        this.#server.url,
        '-challenge',
        challenge,
        '-cn',
        `peer-${this.#count}`,
        '-private-key',
        join(this.#folder, 'key.pem'),
        '-certificate',
        join(folder, 'client.pem'),
      ]
      const { stderr } = spawnSync(
        'bash',
        ['-c', 'TIMEFORMAT="cpu %U %S"; time scepclient "$@"', 'bash', ...args],
        { cwd: folder },
      )
      const [, user, system] = /cpu ([\d.]+) ([\d.]+)/.exec(stderr.toString()) ?? []
      costs.push((Number(user) + Number(system)) * 1000)
    }
    return median(costs)
  }

  async #blocked(): Promise<number> {
    const key = fixtureKey('rsa-4096')
    await this.#ours(key)
    const longest: number[] = []
    for (let i = 0; i < 5; i += 1) {
      longest.push(await longestTurn(() => this.#ours(key)))
    }
    return Math.max(...longest)
  }
}

/** Whole pkiMessages with a kilobyte inside, and envelopes opened. */
async function messagesPerSecond(): Promise<{ built: number; opened: number }> {
  const holder = rootCa('bench', fixtureKey('rsa-2048-a'))
  const data = Buffer.alloc(1024, 1)
  const parts = {
    type: 'PKCSReq',
    transactionId: 'bench',
    data,
    recipient: holder.certificate,
    signer: holder,
    algorithms: { encryption: 'AES-128', digest: 'SHA-256', keyTransport: 'PKCS1' },
  } as const
  const message = envelope(data, { recipient: holder.certificate })
  return {
    built: await perSecond(() => buildPkiMessage(parts)),
    opened: await perSecond(async () => openEnvelope(message, holder)),
  }
}

async function perSecond(body: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  let count = 0
  while (performance.now() - began < 1_000) {
    await body()
    count += 1
  }
  return (count * 1000) / (performance.now() - began)
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
const round2 = (value: number): number => Math.round(value * 100) / 100
const ms = (value: number): string => `${value.toFixed(1)} ms`.padStart(9)
