/** What the operator's commands do (docs/mqtt.md). Each resolves with how it ended; what it throws is reported as failed. */
import type { Change } from './change.ts'
import { needsCertificate } from './core/credential.ts'
import { findNetwork } from './core/want.ts'
import type { Command } from './desired/messages.ts'
import type { Context } from './effects/index.ts'
import { AgentError } from './errors.ts'
import type { Outcome } from './mqtt/commands.ts'
import type { Network } from './types.ts'
import { within } from './within.ts'

export interface CommandWorld {
  context: Context
  change: Change
  /** A support bundle without secrets. */
  diagnostics: () => Promise<Record<string, unknown>>
  preflight: (network: Network, signal: AbortSignal) => Promise<Outcome>
  restart: () => void
}

/** Milliseconds after which a command is answered although what it began has not ended. */
const patience = 300_000

export async function execute(command: Command, world: CommandWorld, signal: AbortSignal): Promise<Outcome> {
  switch (command.command) {
    case 'request-certificate':
      return requestCertificate(command.network, world, signal)
    case 'remove-certificate':
      return removeCertificate(command.network, world)
    case 'renew':
      return renew(command.network, world, signal)
    case 'test':
      return test(command.network, world, signal)
    case 'preflight':
      return preflight(command.network, world, signal)
    case 'diagnostics':
      return { outcome: 'done', text: 'the bundle holds no secret', data: await world.diagnostics() }
    case 'forget-network':
      return forgetNetwork(command.network, world)
    case 'restart-agent':
      world.restart()
      return { outcome: 'done', text: 'the agent restarts' }
  }
}

/** S1-59: a certificate now, whatever there is: a removal no longer holds, and one in force is replaced when the new one works. */
async function requestCertificate(id: string, world: CommandWorld, signal: AbortSignal): Promise<Outcome> {
  const { context, change } = world
  const network = listed(id, context)
  if (!network || !needsCertificate(network)) return notBySCEP(id)
  const folder = context.credentials.of(id)
  if ((await folder.read()).removed) await folder.restore()
  await context.renewals.requestEnrolment(id)
  context.memory.clear(id)
  const since = context.now()
  change.notify()
  return ended(id, ['enroll'], since, world, signal)
}

/** S1-15: at once, and a fact: the loop does not enrol again by itself. An open session stays (S1-16). */
async function removeCertificate(id: string, { context, change }: CommandWorld): Promise<Outcome> {
  const state = await context.credentials.of(id).read()
  if (!state.current) return refused(`${id} has no certificate`)
  const at = context.now()
  // What was asked for before and still waits would undo it.
  for (const what of ['renew', 'enroll'] as const) await context.renewals.ended(what, id)
  await context.credentials.of(id).remove(at)
  context.memory.clear(id)
  context.news.tell(id, { kind: 'removed', at }, {})
  change.notify()
  return {
    outcome: 'done',
    text: `the certificate of ${id} was removed; it is not requested again until asked`,
  }
}

async function renew(id: string, world: CommandWorld, signal: AbortSignal): Promise<Outcome> {
  const { context, change } = world
  const network = listed(id, context)
  if (!network || !needsCertificate(network)) return notBySCEP(id)
  const { current } = await context.credentials.of(id).read()
  if (!current) return refused(`${id} has no certificate to renew: ask for one with request-certificate`)
  if (context.now() > current.certificate.notAfter)
    return refused(`the certificate of ${id} has expired (S2-60): ask for a new one with request-certificate`)
  const since = context.now()
  await context.renewals.request(id)
  change.notify()
  return ended(id, ['renew'], since, world, signal)
}

async function test(id: string | undefined, world: CommandWorld, signal: AbortSignal): Promise<Outcome> {
  const { context, change } = world
  const tested = context.desired().tested.filter(network => id === undefined || network.id === id)
  if (tested.length === 0)
    return refused(id === undefined ? 'no network is tested' : `${id} is not tested here`)
  const since = context.now()
  for (const network of tested) context.memory.retest(network.id)
  change.notify()
  const outcomes = tested.map(network =>
    ended(network.id, ['test', 'join', 'lease'], since, world, signal, ['test']),
  )
  const failed = (await Promise.all(outcomes)).find(outcome => outcome.outcome !== 'done')
  if (failed) return failed
  const results = tested.map(network => [network.id, context.memory.of(network.id).lastTest] as const)
  const passed = results.every(([, result]) => result?.passed === true)
  const data = Object.fromEntries(results)
  return { outcome: 'done', text: passed ? 'every test passed' : 'not every test passed', data }
}

/** Without a network: of all, one after the other. Which of them can be looked at depends on what is joined. */
async function preflight(id: string | undefined, world: CommandWorld, signal: AbortSignal): Promise<Outcome> {
  const networks = world.context.desired().tested.filter(needsCertificate)
  if (id !== undefined) {
    const network = networks.find(candidate => candidate.id === id)
    return network ? world.preflight(network, signal) : notBySCEP(id)
  }
  if (networks.length === 0) return refused('no network of this sensor has a certificate by SCEP')
  const found: (readonly [string, Outcome])[] = []
  for (const network of networks) found.push([network.id, await world.preflight(network, signal)])
  const text = found.map(([network, outcome]) => `${network}: ${outcome.text}`).join('; ')
  const looked = found.filter(([, { outcome }]) => outcome === 'done')
  if (looked.length === 0) return refused(text)
  return {
    outcome: 'done',
    text,
    data: Object.fromEntries(looked.map(([network, { data }]) => [network, data])),
  }
}

async function forgetNetwork(id: string, { context, change }: CommandWorld): Promise<Outcome> {
  if (listed(id, context)) return refused(`${id} is listed in the sensor document: take it off there first`)
  await context.credentials.of(id).forget()
  context.memory.forget(id)
  change.notify()
  return { outcome: 'done', text: `nothing of ${id} is left` }
}

/**
 * Waits for the step that the command began: any of `actions` failing ends it, the last of `finals` succeeding too.
 */
async function ended(
  id: string,
  actions: readonly string[],
  since: number,
  { context, change }: CommandWorld,
  signal: AbortSignal,
  finals: readonly string[] = actions,
): Promise<Outcome> {
  using late = within(patience, signal)
  for (;;) {
    const seen = change.count
    const last = context.memory.of(id).lastAction
    if (last && last.at >= since && actions.includes(last.action)) {
      if (last.problem) return { outcome: 'failed', text: last.problem.title, problem: last.problem }
      if (finals.includes(last.action)) return { outcome: 'done', text: `${last.action} of ${id} completed` }
    }
    signal.throwIfAborted()
    if (late.signal.aborted) throw unfinished(id)
    await change.beyond(seen, undefined, late.signal)
  }
}

const listed = (id: string, context: Context): Network | undefined => findNetwork(context.desired(), id)
const refused = (text: string): Outcome => ({ outcome: 'refused', text })
const notBySCEP = (id: string): Outcome =>
  refused(`${id} is not a network of this sensor with a certificate by SCEP`)

const unfinished = (id: string): AgentError =>
  new AgentError({
    code: 'command-unfinished',
    title: 'What the command began has not ended yet',
    detail: `${id}: nothing for ${String(patience / 1000)} s`,
    hint: 'look at the reported state of the network: it goes on',
    side: 'sensor',
    retry: 'never',
  })
