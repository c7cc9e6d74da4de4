/** Days of trouble at the SCEP server, of the real agent: its system clock is moved on, day by day. For test/long. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { asReported, type Problem } from '../main-job/scene.ts'
import { isFailed, settledOn, trustedClock, type Mark } from './scene.ts'
import type { Misdeed, OwnScepServer } from './scep.ts'
import { faked } from './unaided.ts'

const hour = 1 / 24

type Wrong = Partial<Problem> & { retry?: string }

export interface Days {
  scep: OwnScepServer
  /** Lets days pass; what is due then has been tried when this resolves with what the attempt ended with. */
  failsAfter: (days: number, problem: Wrong) => Promise<void>
  /** Days pass and nothing is tried. */
  restsFor: (days: number) => Promise<void>
  /** Days pass, and the certificate is renewed. */
  renewsAfter: (days: number) => Promise<void>
}

/** A sensor with a certificate of a year that is due after 109.5 days, and is tried again by the hour. */
async function withDays(t: Test, trouble: (days: Days, t: Test) => Promise<void>): Promise<void> {
  const clock = join(t.testdir({ clock: '+0' }), 'clock')
  const polling = { every: 86_400 }
  await using scene = await settledOn(
    t,
    { validity: 365 * 86_400 },
    { renewal: { percent: 30 }, polling },
    { sensor: { settings: trustedClock, environment: faked(t, clock) } },
  )
  const { lab, scep, sensor } = scene
  let passed = 0
  let tests = 0
  const pass = async (days: number): Promise<Mark> => {
    const mark = scene.mark()
    passed += days
    await writeFile(clock, `+${String(Math.round(passed * 86_400))}`)
    // The agent looks at its clock every 15 s; a test makes it look now.
    tests += 1
    await lab.operator.command('sensor-1', { id: `test-${String(tests)}`, command: 'test', network: 'corp' })
    return mark
  }
  const days: Days = {
    scep,
    failsAfter: async (days, problem) => {
      const mark = await pass(days)
      const failed = await mark.event(
        isFailed('renew'),
        `${String(problem.code)} after ${String(passed)} days`,
      )
      t.match(failed.data?.problem, problem, `after ${passed.toFixed(2)} days`)
    },
    restsFor: async days => {
      const sent = scep.messages.length
      await pass(days)
      await sensor.heard('replies', ({ id }) => id === `test-${String(tests)}`, 'it has looked', 20_000)
      t.equal(scep.messages.length, sent, `nothing is asked after ${passed.toFixed(2)} days`)
    },
    renewsAfter: async days => {
      const mark = await pass(days)
      await mark.inUse()
      const since = lab.operator.messages.end
      await lab.operator.command('sensor-1', { id: 'last', command: 'test', network: 'corp' })
      const isWell = (document: object): boolean =>
        asReported(document as never).networks['corp']?.renewal?.lastFailure === undefined
      await sensor.reported(isWell, 'and nothing is held against anybody', 20_000, since)
    },
  }
  await trouble(days, t)
}

const down = { code: 'scep-connect-failed', side: 'network', retry: 'backoff' }
const pending = { code: 'scep-pending', side: 'server', retry: 'backoff' }
const tooEarly = { code: 'scep-renewal-too-early', side: 'server', retry: 'backoff' }
const untrusted = { code: 'scep-certificate-untrusted', side: 'configuration' }

/** One answer that is not what it should be. */
const next = ({ scep }: Days, ...answers: Misdeed[]): Promise<void> => scep.tell({ answers })

const troubles: Record<string, (days: Days, t: Test) => Promise<void>> = {
  'the SCEP server is down for three days: asked again every time, and renewed within the hour after':
    async days => {
      await days.scep.daemon.stop('SIGKILL')
      await days.failsAfter(110, down)
      await days.restsFor(hour / 2)
      for (const _ of [1, 2, 3]) await days.failsAfter(1, down)
      await days.scep.daemon.start()
      await days.restsFor(hour / 2)
      await days.renewsAfter(hour)
    },
  'B-74: the CA does not renew yet: asked when a quarter of what is left has passed, not before':
    async days => {
      await next(days, 'too-early')
      await days.failsAfter(110, tooEarly)
      await days.restsFor(30)
      await days.restsFor(33)
      await days.renewsAfter(1)
    },
  'B-60: the CA takes days to decide: polled for once a day, in one transaction': async (days, t) => {
    await next(days, 'pending', 'pending', 'pending')
    await days.failsAfter(110, pending)
    await days.restsFor(0.9)
    for (const _ of [1, 2]) await days.failsAfter(1, pending)
    await days.renewsAfter(1)
    const [, ...asked] = days.scep.messages
    t.strictSame(
      asked.map(({ messageType }) => messageType),
      ['17', '20', '20', '20'],
    )
    t.equal(new Set(asked.map(({ transactionID }) => transactionID)).size, 1)
  },
  'the CA issues from a wrong chain for a day: said at every try, and the right one is taken': async days => {
    await next(days, 'wrong-chain', 'wrong-chain', 'wrong-chain', 'wrong-chain')
    await days.failsAfter(110, untrusted)
    await days.restsFor(hour / 2)
    await days.failsAfter(1, untrusted)
    await days.renewsAfter(hour)
  },
}

export const daysOfTrouble = Object.entries(troubles).map(([sentence, trouble]) => ({
  sentence,
  run: (t: Test) => withDays(t, trouble),
}))
