/** Whatever becomes of the routing rules: the packets of a renewal leave over the tested network, or not at all (S2-51, S2-52). */
import t, { type Test } from 'tap'
import type { Counters } from '../counters.ts'
import { asReported } from '../main-job/scene.ts'
import { isFailed, isJoined, settledOn, type Scene } from './scene.ts'

/** The agent's ear for changes of rules and routes, which is a process of its own. */
async function monitorOf({ lab, sensor }: Scene): Promise<number> {
  const children = await lab.exec('sensor', 'pgrep', [
    '-P',
    String(sensor.process.pid),
    '-f',
    'monitor link address route rule',
  ])
  return Number(children.trim())
}

/** Neither SCEP nor DNS on eth1, and nothing at all on br-enroll. */
function nowhereElse(t: Test, before: Counters, after: Counters, when: string): void {
  const { management, enroll } = after
  t.equal(management.scep, before.management.scep, `${when}: no SCEP packet on eth1`)
  t.equal(management.dns, before.management.dns, `${when}: no DNS packet on eth1`)
  t.equal(enroll.ip, before.enroll.ip, `${when}: not one packet on br-enroll`)
}

/** Asks for a renewal, which fails while its path is broken. */
async function isRefused(t: Test, scene: Scene, before: Counters, when: string): Promise<void> {
  const mark = scene.mark()
  await scene.lab.operator.command('sensor-1', {
    id: when.replaceAll(' ', '-'),
    command: 'renew',
    network: 'corp',
  })
  const failed = await mark.event(isFailed('renew'), `the renewal fails ${when}`)
  t.match(failed.data?.problem, { code: 'path-broken', side: 'sensor' }, when)
  nowhereElse(t, before, await scene.lab.counters(), when)
}

t.test(
  'S2-51, S2-52, S2-65: with its routing rule overtaken, or removed before it or during it, a renewal fails with its code, and not one packet leaks',
  async t => {
    await using scene = await settledOn(t, {}, { renewal: { when: 'manual' } })
    const { lab, scep, sensor } = scene
    const { interfaces } = asReported(await sensor.reported(isJoined, 'the sensor is on corp'))
    const address = interfaces['eth0']?.address ?? ''
    const rule = (...words: string[]) => lab.exec('sensor', 'ip', ['rule', ...words])
    // A connection that is still open would spare the look-up.
    await scep.daemon.stop('SIGKILL')
    await scep.daemon.start()
    const sent = scep.messages.length
    const before = await lab.counters()

    // Of somebody else: what comes from our address goes by the main table, which knows the server behind eth1.
    await rule('add', 'pref', '10', 'from', address, 'table', 'main')
    await isRefused(t, scene, before, 'behind a rule that overtakes it')
    await rule('del', 'pref', '10')

    // The agent puts back what is removed as soon as it hears of it: so it does not hear of it.
    const monitor = await monitorOf(scene)
    process.kill(monitor, 'SIGSTOP')
    await rule('del', 'pref', '77', 'from', address)
    await isRefused(t, scene, before, 'without its rule')
    await rule('del', 'pref', '78', 'from', address)
    await isRefused(t, scene, before, 'without the dead end behind it')
    const script = `require('http').get({host:'10.55.0.10',port:8080,path:'/scep?operation=GetCACaps',localAddress:'${address}'},r=>{console.log(r.statusCode);process.exit()})`
    const answer = await lab.exec('sensor', process.execPath, ['-e', script])
    t.match(answer, /^200/, 'where a request bound to the address alone')
    const leaked = await lab.counters()
    t.ok(leaked.management.scep > before.management.scep, 'leaks, is answered, and is counted')
    t.equal(scep.messages.length, sent, 'and the SCEP server was not asked')
    const mended = scene.mark()
    process.kill(monitor, 'SIGCONT')
    const isRepaired = ({ event }: { event: string }): boolean => event === 'path-repaired'
    const said = await mended.event(isRepaired, 'the rules are put back')
    t.match(said, { severity: 'warning', text: /^somebody removed the rule from .*, the dead end from / })

    // While the server works on the request.
    await scep.tell({ answers: ['held'] })
    const during = scene.mark()
    const heard = scep.daemon.output.end
    await lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })
    await scep.daemon.waitFor(/"message"/, 'the request is there', 10_000, heard)
    await rule('del', 'pref', '77', 'from', address)
    await rule('del', 'pref', '78', 'from', address)
    const failed = await during.event(isFailed('renew'), 'the renewal fails')
    t.match(failed.data?.problem, { code: 'path-broken', side: 'sensor' }, 'during it')
    await scep.tell({ release: true })
    nowhereElse(t, leaked, await lab.counters(), 'during it')

    const again = scene.mark()
    await lab.operator.command('sensor-1', { id: 'renew-2', command: 'renew', network: 'corp' })
    await again.inUse()
    nowhereElse(t, leaked, await lab.counters(), 'when all is well')
    t.equal(new Set(scep.messages.slice(sent).map(each => each.transactionID)).size, 1, 'in one transaction')
  },
)
