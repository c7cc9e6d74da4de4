/**
 * What a sensor says of itself, judged before anything leans on it: a sensor writes its own topics, and one that is broken or in
 * the wrong hands must not cost the operator the sight of the others. Pure.
 */
import * as z from 'zod/mini'
import { Reported, ReportedNetwork } from '../agent/desired/reported.ts'

const Frame = z.object({ ...Reported.shape, networks: z.record(z.string(), z.unknown()) })

export interface ReadReport {
  /** As reported, with what a newer agent says more, and without networks that cannot be read. */
  reported?: Reported
  /** Places that cannot be read, with why. */
  odd: string[]
}

export function readReport(document: unknown): ReadReport {
  const frame = Frame.safeParse(document)
  if (!frame.success) return { odd: said(frame.error) }
  const networks: Reported['networks'] = {}
  const odd: string[] = []
  for (const [id, network] of Object.entries(frame.data.networks)) {
    const read = ReportedNetwork.safeParse(network)
    if (read.success) networks[id] = network as ReportedNetwork
    else odd.push(...said(read.error, ['networks', id]))
  }
  return { reported: { ...(document as Reported), networks }, odd }
}

/** Without values: they may be anything. */
const said = ({ issues }: z.core.$ZodError, above: string[] = []): string[] =>
  issues.slice(0, 5).map(({ path, message }) => `${[...above, ...path.map(String)].join('.')}: ${message}`)
