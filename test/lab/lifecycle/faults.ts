/** What a CA, a server on its way and a network can do wrong in the middle of a renewal. For test/long. */
import { readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { folderOf } from '../main-job/credential.ts'
import { asReported, tested, type Problem } from '../main-job/scene.ts'
import { isFailed, settledOn, trustedClock, type Scene } from './scene.ts'
import type { Misdeed, OwnScepServer } from './scep.ts'
import { faked } from './unaided.ts'

type OnOwn = Scene & { scep: OwnScepServer }
let commands = 0

/** Asks for a renewal, which may go wrong at once. */
async function ask({ lab }: Scene): Promise<void> {
  commands += 1
  const id = `renew-${String(commands)}`
  await lab.operator.command('sensor-1', { id, command: 'renew', network: 'corp' })
}

const inForce = ({ sensor }: Scene): Promise<string> => readlink(join(folderOf(sensor), 'current'))

/** The renewal fails with this, the certificate in force stays in use, and the next attempt succeeds in the same transaction. */
async function goesOn(
  t: Test,
  scene: OnOwn,
  problem: Partial<Problem>,
  meanwhile?: () => Promise<void>,
): Promise<void> {
  const { lab, scep, sensor } = scene
  const logins = lab.radius.logins().length
  const before = await inForce(scene)
  const mark = scene.mark()
  const heard = scep.daemon.output.end
  await ask(scene)
  await scep.daemon.waitFor(/"message"/, 'the request is there', 20_000, heard)
  const sent = scep.messages.length
  await meanwhile?.()
  const failed = await mark.event(isFailed('renew'), `the renewal fails with ${String(problem.code)}`)
  t.match(failed.data?.problem, problem)
  if (!meanwhile) t.equal(lab.radius.logins().length, logins, 'the session stays')
  t.equal(await inForce(scene), before, 'with the certificate in force')
  await scep.tell({ release: true })
  const again = scene.mark()
  await ask(scene)
  await again.inUse(60_000)
  const ids = new Set(scep.messages.slice(sent - 1).map(({ transactionID }) => transactionID))
  t.equal(ids.size, 1, 'in one transaction')
  t.ok(sensor.process.running)
}

async function fails(t: Test, scene: Scene, problem: Partial<Problem>): Promise<void> {
  const mark = scene.mark()
  await ask(scene)
  const failed = await mark.event(isFailed('renew'), `the renewal fails with ${String(problem.code)}`)
  t.match(failed.data?.problem, problem)
}

const wrong: [Misdeed, Partial<Problem>][] = [
  ['expired', { code: 'scep-certificate-dates', side: 'configuration' }],
  ['not-yet', { code: 'scep-certificate-dates', side: 'configuration' }],
  ['the-same', { code: 'scep-certificate-missing', side: 'server' }],
  ['another-key', { code: 'scep-certificate-missing', side: 'server' }],
  ['huge', { code: 'scep-reply-too-large', side: 'server' }],
  ['cut-off', { code: 'scep-connection-lost', side: 'network' }],
]

const usable: [Misdeed, code: string, text: RegExp][] = [
  ['other-names', 'subject-changed', /changed the subject from .*sensor-1.* to .*somebody-else/],
  ['shorter', 'certificate-shorter', /ends on .*, before the one it replaces/],
]

/** While the SCEP server works on the request. */
const network: [string, Partial<Problem>, (scene: OnOwn) => Promise<void>][] = [
  [
    'the cable is pulled',
    { code: 'path-closed' },
    async ({ lab }) => {
      await lab.cable.pull()
      await lab.cable.plug()
    },
  ],
  [
    // Of the second time the kernel says no more than that the carrier is there.
    'the cable is pulled twice within a second',
    { code: 'path-closed' },
    async ({ lab }) => {
      await lab.cable.pull()
      await lab.cable.plug()
      await lab.cable.pull()
      await lab.cable.plug()
    },
  ],
  [
    'the address is given back',
    { code: 'lease-lost', side: 'network' },
    async ({ lab, sensor }) => {
      const parent = String(sensor.process.pid)
      const clients = await lab.exec('sensor', 'pgrep', ['-P', parent, '-f', 'udhcpc -f -i eth0'])
      for (const pid of clients.trim().split('\n')) process.kill(Number(pid), 'SIGUSR2')
    },
  ],
  [
    'wpa_supplicant is started anew',
    { code: 'path-closed' },
    async ({ lab }) => {
      await lab.supplicant.stop()
      await lab.supplicant.start()
    },
  ],
]

interface Fault {
  sentence: string
  run: (t: Test) => Promise<void>
}

const on =
  (run: (t: Test, scene: OnOwn) => Promise<void>) =>
  async (t: Test): Promise<void> => {
    await using scene = await settledOn(t, {}, { renewal: { when: 'manual' } })
    await run(t, scene)
  }

export const faults: Fault[] = [
  ...wrong.map(([misdeed, problem]) => ({
    sentence: `B-51: the answer to a renewal is ${misdeed}: refused, and the next one is taken`,
    run: on(async (t, scene) => {
      await scene.scep.tell({ answers: [misdeed] })
      await goesOn(t, scene, problem)
    }),
  })),
  ...usable.map(([misdeed, code, text]) => ({
    sentence: `B-51: the answer to a renewal is ${misdeed}: it is used, and said`,
    run: on(async (t, scene) => {
      await scene.scep.tell({ answers: [misdeed] })
      const mark = scene.mark()
      await ask(scene)
      await mark.inUse()
      const notices = (document: object) => asReported(document as never).networks['corp']?.notices ?? []
      const has = (document: object): boolean => notices(document).some(each => each.code === code)
      const found = notices(await scene.sensor.reported(has, `${code} is reported`, 20_000))
      t.match(
        found.find(each => each.code === code),
        { severity: 'warning', text },
      )
    }),
  })),
  ...network.map(([what, problem, act]) => ({
    sentence: `in the middle of a renewal ${what}: it goes on where it was`,
    run: on(async (t, scene) => {
      await scene.scep.tell({ answers: ['held'] })
      await goesOn(t, scene, problem, () => act(scene))
    }),
  })),
  {
    sentence:
      'B-70: a server that advertises Renewal and cannot do it is asked by PKCSReq after three attempts, and remembered; one in its place that refuses that is asked by RenewalReq',
    run: on(async (t, scene) => {
      const { scep } = scene
      // The request, and twice a poll and the request again.
      await scep.tell({ answers: Array<Misdeed>(5).fill('fault') })
      for (const _ of [1, 2, 3]) await fails(t, scene, { code: 'scep-http-status', side: 'server' })
      const mark = scene.mark()
      await ask(scene)
      await mark.inUse()
      const again = scene.mark()
      await ask(scene)
      await again.inUse()
      const types = scep.messages.slice(1).map(({ messageType }) => messageType)
      t.strictSame(types, ['17', '20', '17', '20', '17', '19', '19'])
      await scep.tell({ answers: Array<Misdeed>(3).fill('refused') })
      for (const _ of [1, 2, 3]) await fails(t, scene, { code: 'scep-rejected', side: 'server' })
      const exchanged = scene.mark()
      await ask(scene)
      await exchanged.inUse()
      const since = scep.messages.slice(1 + types.length).map(({ messageType }) => messageType)
      t.strictSame(since, ['19', '19', '19', '17'])
    }),
  },
  {
    sentence:
      'a renewal that is refused because it may have been answered before is begun anew after three attempts',
    run: on(async (t, scene) => {
      const { scep } = scene
      await scep.tell({ answers: ['cut-off', ...Array<Misdeed>(6).fill('refused')] })
      await fails(t, scene, { code: 'scep-connection-lost' })
      for (const _ of [1, 2, 3]) await fails(t, scene, { code: 'issued-but-lost', side: 'server' })
      const mark = scene.mark()
      await ask(scene)
      await mark.inUse()
      t.not(scep.messages.at(-1)?.transactionID, scep.messages[1]?.transactionID)
    }),
  },
  {
    sentence:
      'a certificate asked for afresh whose answer was lost, and that is refused since, does not keep the renewal from being made',
    run: on(async (t, scene) => {
      const { lab, scep } = scene
      await scep.tell({ answers: ['cut-off', ...Array<Misdeed>(6).fill('refused')] })
      const afresh = scene.mark()
      await lab.operator.command('sensor-1', { id: 'again', command: 'request-certificate', network: 'corp' })
      await afresh.event(isFailed('enroll'), 'the answer is lost')
      for (const _ of [1, 2, 3]) await fails(t, scene, { code: 'issued-but-lost', side: 'server' })
      const mark = scene.mark()
      await ask(scene)
      await mark.inUse()
      t.equal(scep.messages.at(-1)?.messageType, '17')
    }),
  },
  {
    sentence:
      'S1-27: the power is cut in a renewal, and the clock is set back by 40 days: the certificate is used, what is issued is refused for its dates, and taken when the clock is right',
    run: async t => {
      const clock = join(t.testdir({ clock: '+0' }), 'clock')
      const sensorOptions = { settings: trustedClock, environment: faked(t, clock) }
      const scep = { renewal: { when: 'manual' } }
      await using scene = await settledOn(t, {}, scep, { sensor: sensorOptions })
      const { lab, sensor } = scene
      await scene.scep.tell({ answers: ['held'] })
      const heard = scene.scep.daemon.output.end
      await ask(scene)
      await scene.scep.daemon.waitFor(/"message"/, 'the request is there', 20_000, heard)
      await sensor.kill()
      await writeFile(clock, '-40d')
      const since = lab.operator.messages.end
      const mark = scene.mark()
      await sensor.start()
      // Who asked for it is remembered.
      const failed = await mark.event(isFailed('renew'), 'what is issued is not valid yet')
      t.match(failed.data?.problem, { code: 'scep-certificate-dates', side: 'configuration' })
      await tested(sensor, 'corp', 60_000, since)
      await writeFile(clock, '+0')
      const again = scene.mark()
      await ask(scene)
      await again.inUse()
      t.equal(new Set(scene.scep.messages.slice(1).map(({ transactionID }) => transactionID)).size, 1)
    },
  },
  {
    sentence:
      'S1-27: nobody vouches for the time and the SCEP server says another: years ahead it changes nothing, months ahead it costs one renewal',
    run: async t => {
      const [year, month] = [365 * 86_400, 30 * 86_400]
      const settings = { renewals: { interval: 10 } }
      const first = { validity: year, dateOff: 3 * year }
      await using scene = await settledOn(t, first, {}, { sensor: { settings } })
      const { scep, sensor, lab } = scene
      const restarted = async (): Promise<number> => {
        await sensor.stop()
        const since = lab.operator.messages.end
        await sensor.start()
        return since
      }
      /** As reported from there on, when this much of a hint and nothing else is left to do. */
      const settledWith = async (fits: (ahead: number) => boolean, since: number) => {
        const wanted = (document: object): boolean => {
          const { clock, networks } = asReported(document as never)
          return fits(clock.scepDateAhead ?? 0) && networks['corp']?.phase === 'joined'
        }
        const found = await sensor.reported(wanted, 'it is joined, with the hint', 60_000, since)
        const { clock, networks } = asReported(found)
        t.equal(clock.trusted, false)
        return (Date.parse(networks['corp']?.renewal?.next ?? '') - Date.now()) / 86_400_000
      }
      t.equal((await settledWith(ahead => ahead > 2 * year * 1000, await restarted())) > 150, true)
      const asked = scene.mark()
      await ask(scene)
      await asked.inUse()
      t.equal(scep.issued.length, 2, 'nothing has expired, and a renewal that is asked for is made')
      await scep.tell({ dateOff: 8 * month })
      const again = scene.mark()
      const since = await restarted()
      const { proof } = await again.inUse(60_000)
      t.ok(proof)
      t.ok((await settledWith(ahead => ahead === 0, since)) > 150, 'and not again')
      t.equal(scep.issued.length, 3)
    },
  },
  {
    sentence: 'the answer to a renewal comes after the deadline: asked for again, in one transaction',
    run: on(async (t, scene) => {
      await scene.scep.tell({ answers: ['held'] })
      await goesOn(t, scene, { code: 'scep-reply-timeout', side: 'network' })
    }),
  },
]
