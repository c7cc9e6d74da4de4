/** Looking: list, show, problems, certificates, triage. */
import type { ReportedNetwork } from '../../agent/desired/reported.ts'
import type { Context, Run } from '../context.ts'
import { Failure, usage } from '../failure.ts'
import { Fleet, type FleetSensor } from '../fleet.ts'
import { describe } from '../describe.ts'
import { printableJson } from '../json.ts'
import { problemColour, problemsOf, type ShownProblem } from '../problems.ts'
import { certificatesOf, rowOf } from '../sensors.ts'
import { distance, paint, printable, table, type Cell } from '../table.ts'

const write = ({ io }: Pick<Context, 'io'>, heads: string[], rows: (Cell | string)[][]): void =>
  io.out(table(heads, rows, { columns: io.columns, colour: io.colour }))

const writeJson = ({ io }: Context, value: unknown): void => io.out(`${printableJson(value, 2)}\n`)

export const list: Run = async context => {
  const fleet = await Fleet.read(context.broker, ['presence', 'reported', 'desired'])
  const sensors = fleet.inOrder()
  if (context.json) writeJson(context, sensors)
  else
    write(
      context,
      ['SENSOR', 'NAME', 'STATE', 'VERSION', 'NETWORKS', 'PHASE', 'PROBLEMS', 'REPORTED'],
      sensors.map(s => rowOf(s, Date.now())),
    )
  return undefined
}

/** S2-61: the About section, and every network with its certificate. */
export const show: Run = async context => {
  const sensor = await oneSensor(context)
  if (context.json) writeJson(context, sensor)
  else describe(sensor, context.io)
  return undefined
}

/** Exit code 1 with `--check` when there are any but warnings. */
export const problems: Run = async context => {
  const fleet = await Fleet.read(context.broker, ['presence', 'reported', 'desired'])
  const all = fleet.inOrder().flatMap(sensor => problemsOf(sensor))
  if (context.json) writeJson(context, all)
  else if (all.length === 0) context.io.out('no problems\n')
  else {
    const rows = all.map(({ sensor, network, severity, title, detail, since, count }): (Cell | string)[] => [
      sensor,
      network,
      { text: title, colour: problemColour[severity] },
      detail,
      since === undefined ? '' : distance(Date.now(), Date.parse(since)),
      count === undefined ? '' : String(count),
    ])
    write(context, ['SENSOR', 'NETWORK', 'PROBLEM', 'DETAIL', 'SINCE', 'TIMES'], rows)
    if (all.length > fewProblems) context.io.out(`\n${summary(all)}`)
  }
  return context.values['check'] === true && all.some(({ severity }) => severity === 'error') ? 1 : 0
}

/** So many are seen at a glance. */
const fewProblems = 10

/** What is most, first: a fleet has many problems of few causes. */
function summary(all: readonly ShownProblem[]): string {
  const byCode = new Map<string, { title: string; sensors: Set<string> }>()
  for (const { code, title, sensor } of all) {
    const kind = byCode.get(code) ?? { title, sensors: new Set() }
    kind.sensors.add(sensor)
    byCode.set(code, kind)
  }
  return [...byCode]
    .sort(([, a], [, b]) => b.sensors.size - a.sensors.size)
    .map(([code, { title, sensors }]) => printable(`${String(sensors.size)} × ${code}: ${title}`))
    .map(line => `${line}\n`)
    .join('')
}

export const certificates: Run = async context => {
  const fleet = await Fleet.read(context.broker, ['reported'])
  const all = certificatesOf(fleet.inOrder())
  if (context.json) writeJson(context, all)
  else if (context.values['mappings'] === true) {
    const rows = all.map(({ sensor, network, adMapping }) => [sensor, network, adMapping])
    context.io.out(table(['SENSOR', 'NETWORK', 'ALTSECURITYIDENTITIES'], rows, { colour: context.io.colour }))
  } else {
    const rows = all.map(({ sensor, network, subject, issuer, notAfter }) => {
      const days = (Date.parse(notAfter) - Date.now()) / 86_400_000
      const left: Cell = {
        text: distance(Date.now(), Date.parse(notAfter)),
        ...(days < 7 ? { colour: 'red' } : days < 30 ? { colour: 'yellow' } : {}),
      }
      return [sensor, network, left, notAfter, subject, issuer]
    })
    write(context, ['SENSOR', 'NETWORK', 'LEFT', 'EXPIRES', 'SUBJECT', 'ISSUER'], rows)
  }
  return undefined
}

/** S2-80: what the supplicant and the server said, in order. */
export const triage: Run = async context => {
  const { io, words } = context
  const sensor = await oneSensor(context)
  const networks = Object.entries(sensor.reported?.networks ?? {}).filter(
    ([id]) => words[1] === undefined || id === words[1],
  )
  if (words[1] !== undefined && networks.length === 0)
    throw new Failure(`${sensor.id} reports no network ${words[1]}`)
  if (context.json) {
    writeJson(context, Object.fromEntries(networks))
    return undefined
  }
  for (const [id, { phase, why, problem, renewal, lastJoin, lastTest }] of networks) {
    io.out(`${paint(printable(id), 'bold', io.colour)} ${phase}\n`)
    if (why !== undefined) io.out(`  ${printable(why)}\n`)
    for (const [stage, ms] of Object.entries(lastJoin?.stages ?? {}))
      io.out(`  ${printable(stage)}: ${String(ms)} ms\n`)
    for (const { probe, passed, detail } of lastTest?.probes ?? [])
      if (!passed) io.out(`  ${paint(printable(`test: ${probe}: ${detail}`), 'red', io.colour)}\n`)
    tell(io, '', problem)
    tell(io, 'renewal: ', renewal?.lastFailure)
    tell(io, 'new certificate: ', renewal?.candidate?.problem)
  }
  return undefined
}

type Seen = Pick<
  NonNullable<ReportedNetwork['problem']>,
  'title' | 'code' | 'side' | 'detail' | 'evidence' | 'hint'
>

/** A finding with everything that was seen. */
function tell(io: Context['io'], where: string, finding: Seen | undefined): void {
  if (finding === undefined) return
  const { title, code, side, detail, evidence = [], hint } = finding
  io.out(`  ${where}${paint(printable(title), 'red', io.colour)} (${printable(`${code}, ${side}`)})\n`)
  for (const text of [detail, ...evidence.map(seen => `  ${seen}`), hint]) io.out(`  ${printable(text)}\n`)
}

async function oneSensor({ broker, words }: Context): Promise<FleetSensor> {
  const id = words[0]
  if (id === undefined) throw usage('which sensor?')
  const fleet = await Fleet.read(broker, ['presence', 'reported', 'desired'])
  const sensor = fleet.sensors.get(id)
  if (sensor === undefined)
    throw new Failure(`there is no sensor ${id}`, { hint: 'sonde fleet list shows them' })
  return sensor
}
