/** The lines a person watches, and how one begins and ends. Pure; telling.ts makes them of what the sensor says. */
import type { Finding } from '../../agent/errors.ts'
import type { CertificateFacts } from '../../agent/types.ts'

/** An event as it is published (docs/mqtt.md). */
export interface SensorEvent {
  /** ISO 8601. */
  at: string
  event: string
  network?: string
  severity: 'debug' | 'info' | 'warning' | 'error'
  text: string
  data?: Record<string, unknown>
}

export interface Line {
  /** What it is about; the event that ends it names the same. */
  id: string
  title: string
  state: 'running' | 'done' | 'failed'
  /** Milliseconds since the epoch. */
  from: number
  /** Milliseconds it took; undefined while it runs and for what takes no time of its own. */
  ms?: number
  detail: string
  facts: readonly (readonly [name: string, value: string])[]
}

/** What ended the story before its end, with the sentence of what was being done. */
export interface Failure {
  doing: string
  finding: Finding
  /** Said instead of the finding's side: what failed was not the sensor's to judge. */
  fault?: string
}

/** How the certificate of this story comes about: each is a chapter of the demonstration. */
export type Chapter = 'enrolment' | 'renewal'

/** The reported state, as far as the story looks. */
export interface Reported {
  networks: Record<
    string,
    { phase: string; certificate?: { fingerprint: string }; lastTest?: { passed: boolean } }
  >
  applied: { desired?: { version: number } }
}

/** The answer to a command, as far as the story looks. */
export interface Reply {
  outcome: string
  text: string
}

export interface Story {
  chapter: Chapter
  /** The tested network; every other one serves its enrolment. */
  tested: string
  lines: readonly Line[]
  warnings: readonly string[]
  certificate?: CertificateFacts
  /** How it was asked for: PKCSReq or RenewalReq. */
  operation?: string
  /** The login that proved it: stage and milliseconds since its start. */
  proof?: Readonly<Record<string, number>>
  /** Milliseconds without an address before the present lease. */
  gap?: number
  /** The network was tested in this chapter, with success. */
  passed?: true
  /** What was reported last. */
  report?: Reported
  failure?: Failure
}

export const newStory = (tested: string, chapter: Chapter = 'enrolment'): Story => ({
  ...{ chapter, tested },
  ...{ lines: [], warnings: [] },
})

export const isDone = (story: Story, id: string): boolean =>
  story.lines.some(line => line.id === id && line.state === 'done')

/** It has come to its end, good or bad. */
export const isOver = (story: Story): boolean => story.failure !== undefined || isDone(story, 'reported')

/** A line begins; one with the same id that had not ended begins again. */
export function begin(story: Story, id: string, title: string, from: number): Story {
  const others = story.lines.filter(line => line.id !== id || line.state !== 'running')
  return { ...story, lines: [...others, { id, title, state: 'running', from, detail: '', facts: [] }] }
}

type End = Partial<Pick<Line, 'title' | 'state' | 'ms' | 'detail' | 'facts'>>

/** The running line `id` ends at `at`; without one, a line of no length is added. */
export function end(story: Story, id: string, at: number, how: End = {}): Story {
  const running = story.lines.find(line => line.id === id && line.state === 'running')
  const line: Line = running ?? { id, title: id, state: 'running', from: at, detail: '', facts: [] }
  const ended: Line = { ...line, state: 'done', ...(running && { ms: at - line.from }), ...how }
  const lines = running
    ? story.lines.map(one => (one === running ? ended : one))
    : [...story.lines, { ...ended, from: at - (how.ms ?? 0) }]
  return { ...story, lines }
}

export const drop = (story: Story, id: string): Story => ({
  ...story,
  lines: story.lines.filter(line => line.id !== id || line.state !== 'running'),
})

/** Everything that runs has failed with it. */
export const failAll = (story: Story, at: number): Story =>
  story.lines
    .filter(line => line.state === 'running')
    .reduce((told, { id }) => end(told, id, at, { state: 'failed' }), story)
