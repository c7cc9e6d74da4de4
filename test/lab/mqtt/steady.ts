/** What the sensor guarantees, whatever the broker does: it keeps its good state, and never flaps between two. */
import t from 'tap'
import { directly } from '../../../agent/mqtt/socket.ts'
import { but, plain, sensor as document } from '../../unit/desired/documents.ts'
import type { Broker } from './broker.ts'
import { onEveryBroker, save, wipe } from './brokers.ts'
import { operator, type Operator } from './operator.ts'
import { arrived, sensor, standing, until as untilOnly, type Sensor } from './sensor.ts'

t.setTimeout(120_000)

const reaching = (self: Sensor) => (satisfied: () => boolean) =>
  untilOnly(satisfied, 10_000, () => standing(self))

/** What is retained for the sensor has come to it, once more. */
async function heardAgain(self: Sensor, topics: readonly string[]): Promise<void> {
  const from = self.arrivals.length
  await self.link.leave()
  await arrived(self)
  await reaching(self)(() => topics.every(topic => self.arrivals.slice(from).includes(topic)))
}

onEveryBroker(
  'a state that cuts the sensor off is reverted after the limit, reported, and never tried again by itself',
  async (t, broker, protocol) => {
    await using console = await operator(broker.url, ['sonde/sensors/r/reported'])
    let wall = false
    await using self = await sensor({
      ...{ directory: t.testdir(), url: broker.url, name: 'r', protocol, independent: false },
      desired: { revertAfter: 300 },
    })
    const until = reaching(self)
    const reach = async (host: string, port: number) => {
      if (wall) throw new Error('this network does not reach the broker')
      return directly(host, port, AbortSignal.timeout(5000))
    }
    /** As the agent does: on another network after a change, and back after a revert. */
    const move = async (cut: boolean) => {
      await self.link.leave()
      wall = cut
      self.link.arrive(reach)
    }
    self.link.arrive(reach)
    await self.link.connected(AbortSignal.timeout(5000))
    await console.publish(self.topics.desired, document(1, 'good'), { retain: true })
    await console.publish(self.topics.network('good'), plain, { retain: true })
    await until(() => self.changes.length === 1)
    await move(false)
    await until(() => self.state.view.confirmed)
    const good = self.state.view.applied.state

    await console.publish(self.topics.network('good'), but(plain, 'interface', 'eth0'), { retain: true })
    await until(() => self.changes.length === 2)
    await move(true)
    const at = self.state.decisionAt(self.link.status.since) ?? 0
    t.ok(at > performance.now(), 'not at once')
    await until(() => self.state.cutOff(self.link.status.since))
    t.match(self.state.view, { phase: 'reverted', applied: { state: good } })
    await move(false)
    await self.link.connected(AbortSignal.timeout(5000))
    self.report()
    const report = await console.until(
      'the quarantine is reported',
      ({ json }) => json()['rejected'] !== undefined,
    )
    t.match(report.json(), { applied: { desired: { version: 1 } }, rejected: { desired: { version: 1 } } })
    await until(() => self.state.view.confirmed)
    for (let i = 0; i < 3; i++) {
      await heardAgain(self, [self.topics.desired, self.topics.network('good')])
      t.equal(self.state.view.applied.state, good, 'the retained document came again and changed nothing')
      t.equal(self.state.cutOff(0), false)
    }

    await console.publish(self.topics.network('good'), but(plain, 'alias', 'better'), { retain: true })
    await until(() => self.state.view.desired.tested[0]?.profile.alias === 'better')
    t.equal(self.changes.length, 3, 'good, cut off, better: nothing in between')
  },
)

onEveryBroker(
  'a broker that is down for long reverts no good state, one that lost its database wipes nothing, and an old one brings no old sensor document back',
  async (t, broker, protocol) => {
    await using self = await sensor({
      ...{ directory: t.testdir(), url: broker.url, name: 'd', protocol },
      desired: { revertAfter: 50 },
    })
    const until = reaching(self)
    await arrived(self)
    await asOperator(broker, async console => {
      await console.publish(self.topics.desired, document(1, 'good'), { retain: true })
      await console.publish(self.topics.network('good'), plain, { retain: true })
      await until(() => self.state.view.confirmed && self.changes.length === 1)
    })
    const good = self.state.view.applied.state
    await broker.stop()
    const restoreOld = await save(broker)
    await until(() => self.link.status.state === 'connecting')
    await until(() => performance.now() - self.link.status.since > 250)
    t.equal(self.state.cutOff(self.link.status.since), false, 'five times the limit without a broker')
    t.equal(self.state.view.applied.state, good)

    await wipe(broker)
    await broker.start()
    await asOperator(broker, async (console, received) => {
      await console.subscribe('sonde/#')
      await received('it reports what it has in force to a broker that knows nothing', self.topics.reported)
      // Everything the broker has was sent before what is published now.
      await console.publish(self.topics.commands, { fence: 1 })
      await until(() => self.commands.length === 1)
      t.equal(self.state.view.applied.state, good, 'a broker without documents wipes nothing')
      t.match(self.state.view, { problems: [], awaited: [] })
      await console.publish(self.topics.desired, document(2, 'good'), { retain: true })
      await console.publish(self.topics.network('good'), but(plain, 'alias', 'second'), { retain: true })
      await until(() => self.state.view.desired.tested[0]?.profile.alias === 'second')
      await until(() => self.state.view.confirmed)
    })
    const second = self.state.view.applied.desired
    await broker.stop('SIGKILL')
    await restoreOld()
    await broker.start()
    await until(() => self.state.view.problems.length > 0)
    t.match(self.state.view.problems, [{ topic: self.topics.desired, path: 'version', message: /1.*2/ }])
    t.same(self.state.view.applied.desired, second, 'an older document from a backup is refused')
  },
)

async function asOperator(
  broker: Broker,
  act: (console: Operator, received: (sentence: string, topic: string) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  await using console = await operator(broker.url, [], { clean: true })
  await act(console, (sentence, topic) => console.until(sentence, message => message.topic === topic, 10_000))
}
