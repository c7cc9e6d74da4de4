/**
 * Everything that can be wrong around the sensor: it says so within its deadline, with a stable code, a title, a detail,
 * a hint and the side that has to act, and goes on by itself when the cause is gone.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { documents } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { documentsWith, event, problem, publish, tested, type Documents, type Problem } from './scene.ts'

interface Case {
  name: string
  /** Makes it wrong before the documents are published, */
  wrong?: (lab: Lab) => Promise<unknown>
  /** or has these wrong ones published. */
  documents?: (lab: Lab) => Promise<Documents>
  /** The sensor's clock is set. */
  clock?: true
  /** The network that has the problem, and the step that ends in it. */
  network: 'corp' | 'onboarding'
  step: 'join' | 'lease' | 'enroll'
  code: string
  side: string
  title?: string
  detail?: RegExp
  hint?: RegExp
  /** Milliseconds the step may take. */
  deadline: number
  /** Milliseconds it must take, where ending early would be wrong. */
  least?: number
  /** What befalls it while it waits for its next try, and what is to be reported within so many milliseconds. */
  meanwhile?: { wrong: (lab: Lab) => Promise<unknown>; code: string; within: number }
  /** The documents that mend wrong ones, where those are not the lab's own: they end the wait at once. */
  mended?: (lab: Lab) => Promise<Documents>
  /** Takes the cause away; wrong documents are replaced by the lab's own, which ends the wait at once. */
  mend?: (lab: Lab) => Promise<unknown>
  /** Milliseconds from there until the network is joined. */
  met?: number
}

/** The timers of this machine and of the agent, under load. */
const slack = 1_500
/** The first wait, 5 s + 20 %, and the main job after it. */
const recovery = 6_000 + 20_000

/** A document ends the wait at once; this is the main job itself, on a machine that is busy. */
const byDocument = 10_000

const nameless = (lab: Lab): Promise<Documents> =>
  documentsWith(lab, {}, { subject: { commonName: '{name}.example.org' } })

const untrusted = '802.1X failed with unknown CA'

const cases: Case[] = [
  {
    name: 'a RADIUS server that rejects is reported within 10 s',
    wrong: lab => lab.radius.configure({ rejectAll: true }),
    ...{ network: 'onboarding', step: 'join', code: 'rejected-identity', side: 'server', deadline: 10_000 },
    mend: lab => lab.radius.configure({ rejectAll: false }),
  },
  {
    name: 'a RADIUS server that is dead is reported within 15 s, a cable that is pulled meanwhile within 12 s, and its return is used at once',
    wrong: lab => lab.radius.stop(),
    ...{ network: 'onboarding', step: 'join', code: 'radius-silent', side: 'network' },
    ...{ deadline: 15_000, least: 9_000 },
    // Its next try, 4 s later at the soonest, would say so after 14 s; and after that one it would wait for 8 s.
    meanwhile: { wrong: lab => lab.cable.pull(), code: 'no-carrier', within: 12_000 },
    mend: async lab => {
      await lab.radius.start()
      await lab.cable.plug()
    },
    met: 1_500,
  },
  {
    name: 'a port without an authenticator is reported within 10 s, and joined within 1.1 s of its having one, not at the next try',
    wrong: lab => lab.switch.authenticator.stop(),
    ...{ network: 'onboarding', step: 'join', code: 'no-authenticator', side: 'network' },
    ...{ deadline: 10_000, least: 5_000 },
    mend: lab => lab.switch.authenticator.start(),
    met: 1_100,
  },
  {
    name: 'a cable that is not plugged in is reported within 20 s',
    wrong: lab => lab.cable.pull(),
    ...{ network: 'onboarding', step: 'join', code: 'no-carrier', side: 'network', deadline: 20_000 },
    mend: lab => lab.cable.plug(),
  },
  {
    name: 'a network with others on it but without a DHCP server is reported within 15 s',
    wrong: async lab => {
      await lab.dhcp('enroll').stop()
      await lab.chatter('enroll')
    },
    ...{ network: 'onboarding', step: 'lease', code: 'dhcp-no-offer', side: 'network' },
    ...{ deadline: 15_000, least: 10_000 },
    mend: lab => lab.dhcp('enroll').start(),
  },
  {
    name: 'a port that stays locked after EAP success is said as such within 15 s',
    wrong: lab => lab.switch.lockForGood(),
    ...{ network: 'onboarding', step: 'lease', code: 'port-stays-locked', side: 'network' },
    ...{ title: 'The port stays locked after 802.1X succeeded', hint: /switch/, deadline: 15_000 },
    mend: lab => rm(join(lab.site.folder, 'locked-for-good')),
  },
  {
    name: 'a SCEP server whose packets are swallowed is reported within 10 s',
    wrong: lab => lab.silence('enroll', 'scep'),
    ...{ network: 'corp', step: 'enroll', code: 'scep-connect-timeout', side: 'network' },
    ...{ detail: /scep\.example\.org \([\d.]+\) within 10 s/, deadline: 10_000, least: 9_000 },
    mend: lab => lab.silence('enroll', 'scep', false),
  },
  {
    name: 'a SCEP server that refuses connections is reported at once',
    wrong: lab => lab.scep.stop(),
    ...{ network: 'corp', step: 'enroll', code: 'scep-connect-failed', side: 'network', deadline: 1_500 },
    mend: lab => lab.scep.start(),
  },
  {
    name: 'S2-21: a SCEP server URL whose host has no address is reported, and corrected by a document',
    documents: lab => documentsWith(lab, {}, { url: 'http://nowhere.example.org/scep' }),
    ...{ network: 'corp', step: 'enroll', code: 'dns-failed', side: 'network', deadline: 5_000 },
  },
  {
    name: 'S2-21: a SCEP server URL without its path is reported, and corrected by a document',
    documents: lab => documentsWith(lab, {}, { url: lab.scep.url.replace(/scep$/, '') }),
    ...{ network: 'corp', step: 'enroll', code: 'scep-http-status', side: 'configuration', deadline: 5_000 },
  },
  {
    name: 'S2-33, S2-58, S2-59: a wrong challenge password is refused within 5 s; a corrected document ends the wait at once',
    documents: lab => documentsWith(lab, {}, { challengePassword: 'canary-wrong-challenge' }),
    ...{ network: 'corp', step: 'enroll', code: 'scep-rejected', side: 'server', deadline: 5_000 },
    ...{ title: 'SCEP server refused the request', detail: /^password might be incorrect/ },
  },
  {
    name: 'S2-24, S2-26: a variable without a value is named, before anything is asked of the server; the name its hint asks for ends the wait',
    documents: nameless,
    mended: async lab => {
      const docs = await nameless(lab)
      return { ...docs, sensor: { ...docs.sensor, version: 2, name: 'sensor-1' } }
    },
    ...{ network: 'corp', step: 'enroll', code: 'variable-without-value', side: 'configuration' },
    ...{ title: '{name} has no value on this sensor', detail: /scep\.subject\.commonName/ },
    ...{ hint: /"name" in its sensor document/, deadline: 5_000 },
  },
  {
    name: 'a wrong password of the enrollment network is reported within 10 s, and corrected by a document',
    documents: async lab => {
      const docs = await documents(lab)
      const eap = { ...docs.onboarding.eap, password: 'canary-wrong-password' }
      // Not what the type allows: that is the bad input.
      return { ...docs, onboarding: { ...docs.onboarding, eap } } as unknown as Documents
    },
    ...{ network: 'onboarding', step: 'join', code: 'rejected-password', side: 'configuration' },
    deadline: 10_000,
  },
  {
    name: 'S2-79, S2-81, S2-82: a RADIUS server we do not trust is reported so, and trusted by Specify Server CA',
    documents: async lab => {
      const serverCa = [await readFile(lab.pki.otherRoot, 'utf8')]
      return documentsWith(lab, { eap: { method: 'TLS', serverName: 'radius.example.org', serverCa } })
    },
    ...{ network: 'corp', step: 'join', code: 'server-untrusted', side: 'configuration', deadline: 10_000 },
    ...{ title: untrusted, detail: /^local TLS alert: Unknown CA/, hint: /Specify Server CA/ },
  },
  {
    name: 'S2-43, S2-47: with no CA given the SCEP CA alone is trusted, which is not the root of this RADIUS server',
    documents: lab => documentsWith(lab, { eap: { method: 'TLS' } }),
    ...{ network: 'corp', step: 'join', code: 'server-untrusted', side: 'configuration', deadline: 10_000 },
    ...{ title: untrusted, detail: /^local TLS alert: Unknown CA/ },
  },
  {
    name: 'S2-84: a RADIUS server that does not trust the SCEP CA is reported, and goes on when it does',
    wrong: lab => lab.radius.configure({ clientCa: [lab.pki.root] }),
    ...{ network: 'corp', step: 'join', code: 'rejected-untrusted-issuer', side: 'server', deadline: 10_000 },
    ...{ hint: /SCEP/ },
    mend: lab => lab.radius.configure({ clientCa: [lab.scep.ca] }),
  },
  {
    name: 'a RADIUS server with an expired certificate is reported, and joined when it has a new one',
    clock: true,
    wrong: lab => lab.radius.configure({ server: lab.pki.serverExpired }),
    ...{ network: 'onboarding', step: 'join', code: 'server-certificate-expired', side: 'server' },
    deadline: 10_000,
    mend: lab => lab.radius.configure({ server: lab.pki.server }),
  },
]

for (const each of cases) {
  t.test(each.name, async t => {
    await using lab = await raise(t)
    await each.wrong?.(lab)
    const sensor = await lab.sensor({ settings: { time: { trustSystemClock: each.clock ?? false } } })
    await publish(lab, await (each.documents ?? documents)(lab))
    const failed = await event(
      sensor,
      ({ event, network }) => event === 'step-failed' && network === each.network,
      `${each.step} ${each.network} fails`,
      each.deadline + 10_000,
    )
    const { ms = NaN, action } = failed.data ?? {}
    t.equal(action, each.step)
    t.ok(ms <= each.deadline + slack, `the step ended after ${ms} ms, deadline ${each.deadline} ms`)
    if (each.least !== undefined) t.ok(ms >= each.least, `and not before ${each.least} ms`)
    const reported = await problem(sensor, each.network, 2_500)
    t.match(reported, {
      code: each.code,
      side: each.side,
      title: each.title ?? /./,
      detail: each.detail ?? /./,
    })
    t.match(reported.hint, each.hint ?? /\w+ \w+/, 'it says what to do')
    const said = JSON.stringify(sensor.events) + sensor.process.output.tail(5_000)
    t.notMatch(
      JSON.stringify(reported) + said,
      /canary-|lab-challenge/,
      'no secret is in it, in an event or in the log',
    )
    t.comment(`${each.name}: ${ms} ms ${JSON.stringify(reported)}`)
    if (each.meanwhile) {
      const since = lab.operator.messages.end
      const { wrong, code, within } = each.meanwhile
      await wrong(lab)
      await problem(sensor, each.network, within, since, found => found.code === code)
    }
    if (!each.mend && !each.documents) return
    const mended = performance.now()
    await each.mend?.(lab)
    if (each.met !== undefined)
      await event(
        sensor,
        ({ event, network }) => event === 'joined' && network === each.network,
        `${each.network} is joined within ${each.met} ms`,
        each.met,
      )
    if (each.documents) await publish(lab, await (each.mended ?? documents)(lab))
    const reports = await tested(sensor, 'corp', each.documents ? byDocument : recovery)
    t.comment(`recovered after ${Math.round(performance.now() - mended)} ms`)
    t.equal(reports.networks[each.network]?.problem, undefined, 'the problem is gone from the report')
    t.equal((await lab.scep.issued()).length, 1, 'one certificate was issued')
  })
}

t.test(
  'S2-57, S2-58: a request that never left is no lost one: the next refusal still says what is wrong',
  async t => {
    await using lab = await raise(t)
    await lab.scep.stop()
    const sensor = await lab.sensor()
    await publish(lab, await documentsWith(lab, {}, { challengePassword: 'canary-wrong-challenge' }))
    await problem(sensor, 'corp', 15_000, 0, ({ code }) => code === 'scep-connect-failed')
    await lab.scep.start()
    const next = ({ code }: Problem): boolean => code !== 'scep-connect-failed'
    const { code, title } = await problem(sensor, 'corp', 15_000, 0, next)
    t.match({ code, title }, { code: 'scep-rejected', title: 'SCEP server refused the request' })
  },
)
