/** The loop in a world of plain values: what keeps the watchdog fed, and what does not. */
import t, { type Test } from 'tap'
import { Change } from '../../agent/change.ts'
import { isHeldBack } from '../../agent/core/setback.ts'
import type { Effects } from '../../agent/core/step.ts'
import { wantedRevision } from '../../agent/core/want.ts'
import { openLog } from '../../agent/log.ts'
import { Loop, type World } from '../../agent/loop.ts'
import { Memory } from '../../agent/memory.ts'
import type { Actual, TimelineEvent } from '../../agent/types.ts'
import { actualOf, corp, desiredOf, lease, now, onboarding, queue } from './core/world.ts'

const nothing = (): void => undefined
const never = new Promise<never>(nothing)

interface Bench {
  loop: Loop
  world: World
  events: Pick<TimelineEvent, 'event' | 'text'>[]
}

/** Runs until the test ends. Every step is done by `effect`. */
function running(
  t: Test,
  observe: (memory: Memory) => Promise<Actual>,
  effect: (signal: AbortSignal) => Promise<void>,
): Bench {
  const memory = new Memory()
  const events: Bench['events'] = []
  const effects = new Proxy({} as Effects, { get: () => (_: unknown, signal: AbortSignal) => effect(signal) })
  const world: World = {
    interfaces: ['eth0'],
    change: new Change(),
    memory,
    log: openLog('silent'),
    options: { brokerOverTested: false, queue },
    desired: () => desiredOf(),
    observe: () => observe(memory),
    effects,
    ahead: nothing,
    idle: nothing,
    seen: nothing,
    say: ({ event, text }) => events.push({ event, text }),
    now: () => now,
    random: () => 0.5,
  }
  const loop = new Loop(world)
  const stop = new AbortController()
  void loop.run(stop.signal)
  // A deadline alone keeps no process from ending.
  const awake = setInterval(nothing, 60_000)
  t.teardown(() => {
    clearInterval(awake)
    stop.abort()
  })
  return { loop, world, events }
}

/** A look takes a turn of the event loop, as any look at the world does. */
const looked = async (memory: Memory): Promise<Actual> => {
  await new Promise(setImmediate)
  const history = Object.fromEntries(['onboarding', 'corp'].map(id => [id, memory.of(id)]))
  return actualOf({ history })
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error)
    })
  })

t.test('a loop that looks when it is asked to is alive', async t => {
  const { loop } = running(t, () => Promise.resolve(actualOf({}, { supplicant: false })), untilAborted)
  t.equal(await loop.alive(100), true)
})

t.test('so is one with a step that takes its time', async t => {
  const { loop } = running(t, looked, untilAborted)
  while (loop.running.length === 0) await new Promise(setImmediate)
  t.equal(await loop.alive(100), true)
})

t.test('a loop that hangs in a look is not, so that systemd starts the agent anew', async t => {
  const { loop } = running(t, () => never, untilAborted)
  t.equal(await loop.alive(50), false)
})

t.test('a step that succeeds again and again and changes nothing ends as a failure that says so', async t => {
  const { loop, events } = running(t, looked, () => Promise.resolve())
  while (!events.some(({ event }) => event === 'step-failed')) await new Promise(setImmediate)
  t.match(events.at(-1)?.text, 'A step does not reach its end')
  t.equal(events.filter(({ event }) => event === 'step-done').length, 5)
  t.equal(await loop.alive(100), true)
})

t.test('a step that is done again for another document each time does reach its end', async t => {
  const revision = wantedRevision(onboarding, actualOf(), now) ?? ''
  const state = {
    blocks: [{ path: '/1', network: 'onboarding', revision }],
    ...{ joined: { network: 'onboarding', revision, at: now }, lease },
  }
  let assigned = 0
  const { world, events } = running(
    t,
    async memory => ({ ...(await looked(memory)), interfaces: actualOf({}, state).interfaces }),
    () => {
      assigned += 1
      return Promise.resolve()
    },
  )
  world.desired = () => desiredOf({ tested: [{ ...corp, assignment: `a${assigned}` }] })
  const ended = () => events.filter(({ event }) => /^step-(done|failed)$/.test(event))
  const failed = () => ended().some(({ event }) => event === 'step-failed')
  while (ended().length < 12 && !failed()) await new Promise(setImmediate)
  t.same(
    ended(),
    Array(12).fill({ event: 'step-done', text: 'obtain a certificate for corp over onboarding' }),
  )
})

t.test(
  'what failed for want of a cable is tried when there is one, and stays a problem until it succeeds',
  t => {
    const memory = new Memory()
    const finding = {
      code: 'no-carrier',
      title: '',
      detail: '',
      hint: '',
      side: 'network',
      retry: 'backoff',
    } as const
    memory.failed('corp', { action: 'join', finding, basis: 'b' }, now, 0.5)
    const before = memory.of('corp').setback
    memory.relieve(['radius-silent'], now + 1)
    t.same(memory.of('corp').setback, before, 'another cause is another matter')
    memory.relieve(['no-carrier'], now + 1, 'lab')
    t.same(memory.of('corp').setback, before, 'and so is another network')
    memory.relieve(['no-authenticator', 'no-carrier'], now + 1)
    t.same(memory.of('corp').setback, { ...before, until: now + 1 })
    t.equal(isHeldBack(memory.of('corp').setback, 'b', now + 1), false)
    t.end()
  },
)

t.test('a join that succeeds ends what stood before it, and nothing that comes after', t => {
  const finding = {
    code: 'bus-closed',
    title: '',
    detail: '',
    hint: '',
    side: 'sensor',
    retry: 'backoff',
  } as const
  for (const [action, ends] of [
    ['uninstall', true],
    ['install', true],
    ['enroll', false],
    ['lease', false],
  ] as const) {
    const memory = new Memory()
    memory.failed('corp', { action, finding, basis: 'b' }, now, 0.5)
    memory.succeeded('corp', 'join', now + 1)
    t.equal(memory.of('corp').setback === undefined, ends, action)
  }
  t.end()
})
