/** What the sensor guarantees, whatever the broker does. */
import t from 'tap'
import { directly } from '../../../agent/mqtt/socket.ts'
import { but, plain, sensor as document } from '../../unit/desired/documents.ts'
import { mosquitto } from './broker.ts'
import { operator } from './operator.ts'
import { arrived, sensor, until } from './sensor.ts'

t.test(
  'a state that cuts the sensor off is reverted after the limit, reported, and never tried again by itself',
  async t => {
    await using broker = await mosquitto()
    await using console = await operator(broker.url, ['sonde/sensors/r/reported'])
    const directory = t.testdir()
    let wall = false
    await using self = await sensor({
      directory,
      url: broker.url,
      name: 'r',
      desired: { revertAfter: 300 },
      independent: false,
    })
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

    await console.publish(self.topics.network('good'), but(plain, 'alias', 'cuts off'), { retain: true })
    await until(() => self.changes.length === 2)
    await move(true)
    const at = self.state.decisionAt(self.link.status.since) ?? 0
    t.ok(at > performance.now(), 'not at once')
    await until(() => self.state.cutOff(self.link.status.since))
    t.match(self.state.view, { phase: 'reverted', desired: { tested: [{ profile: { alias: undefined } }] } })
    await move(false)
    await self.link.connected(AbortSignal.timeout(5000))
    self.report()
    const report = await console.until(
      'the quarantine is reported',
      ({ json }) => json()['rejected'] !== undefined,
    )
    t.match(report.json(), { applied: { desired: { version: 1 } }, rejected: { desired: { version: 1 } } })
    await until(() => self.state.view.confirmed)
    await new Promise(resolve => setTimeout(resolve, 400))
    t.equal(self.state.cutOff(0), false)
    t.match(
      self.state.view.desired.tested,
      [{ profile: { alias: undefined } }],
      'the retained document came again and changed nothing',
    )

    await console.publish(self.topics.network('good'), but(plain, 'alias', 'better'), { retain: true })
    await until(() => self.state.view.desired.tested[0]?.profile.alias === 'better')
  },
)

t.test(
  'a broker that is down for long reverts no good state, and one that lost its database wipes nothing',
  async t => {
    const directory = t.testdir()
    await using broker = await mosquitto()
    await using self = await sensor({ directory, url: broker.url, name: 'd', desired: { revertAfter: 50 } })
    await arrived(self)
    const write = async () => {
      await using console = await operator(broker.url, [])
      await console.publish(self.topics.desired, document(1, 'good'), { retain: true })
      await console.publish(self.topics.network('good'), plain, { retain: true })
    }
    await write()
    await until(() => self.state.view.confirmed && self.changes.length === 1)
    await broker.stop('SIGKILL')
    await until(() => self.link.status.state === 'connecting')
    await new Promise(resolve => setTimeout(resolve, 200))
    t.notOk(self.state.cutOff(self.link.status.since))
    await broker.start()
    await self.link.connected(AbortSignal.timeout(10_000))
    await new Promise(resolve => setTimeout(resolve, 100))
    t.match(self.state.view, { desired: { version: 1, tested: [{ id: 'good' }] }, problems: [], awaited: [] })
    t.equal(self.changes.length, 1)
  },
)
