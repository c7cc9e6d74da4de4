/** A disk that takes nothing, full or read-only: an error with a name, nothing lost, and the sensor goes on with what it has. */
import { appendFile, mkdtemp, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../command.ts'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { isWhole } from '../main-job/credential.ts'
import { problem, publish, tested } from '../main-job/scene.ts'

/** A disk of a megabyte for the state of a sensor. */
class SmallDisk implements AsyncDisposable {
  readonly folder: string
  constructor(folder: string) {
    this.folder = folder
  }

  /** Before the lab is raised: its daemons see the mounts there are when they start. */
  static async mount(): Promise<SmallDisk> {
    const folder = await mkdtemp(join(tmpdir(), 'small-disk-'))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', folder])
    return new SmallDisk(folder)
  }

  /** What a worn card becomes. Nobody may have a file open for writing. */
  async wearOut(): Promise<void> {
    await run('mount', ['-o', 'remount,ro', this.folder])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['-l', this.folder])
    await rmdir(this.folder)
  }
}

/** Fills it to the last byte. */
async function fill(folder: string): Promise<string> {
  const ballast = join(folder, 'ballast')
  const page = Buffer.alloc(4096)
  for (;;)
    try {
      await appendFile(ballast, page)
    } catch {
      return ballast
    }
}

t.test(
  'a full disk is said as such, loses nothing, and the sensor goes on when there is room again; also over a restart, and on a worn card',
  async t => {
    await using disk = await SmallDisk.mount()
    await using lab = await raise(t)
    const stateDirectory = disk.folder
    const settings = { stateDirectory, spareKeys: false, time: { trustSystemClock: true } }
    const sensor = await lab.sensor({ settings })
    await sensor.heard('presence', ({ state }) => state === 'online', 'the sensor is there')
    const ballast = await fill(stateDirectory)
    await publish(lab, await documents(lab))
    const reported = await problem(sensor, 'onboarding', 30_000)
    t.match(reported, { code: 'disk-full', side: 'sensor', hint: /make room/ })
    t.equal((await lab.scep.issued()).length, 0, 'nothing is asked for what cannot be kept')
    await rm(ballast)
    await tested(sensor, 'corp', 90_000)
    const first = await lab.scep.issued()
    t.equal(first.length, 1)
    const small = Object.assign(Object.create(Object.getPrototypeOf(sensor) as object), sensor, {
      state: stateDirectory,
    }) as typeof sensor
    await isWhole(t, small, first)
    const again = await fill(stateDirectory)
    await lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })
    const reply = await sensor.heard(
      'replies',
      ({ id }) => id === 'renew-1',
      'the command is answered',
      30_000,
    )
    t.not(reply['outcome'], 'done', 'a renewal cannot be done now')
    const restarted = async (): Promise<void> => {
      const since = lab.operator.messages.end
      await sensor.start()
      await tested(sensor, 'corp', 60_000, since)
      await isWhole(t, small, first)
    }
    await sensor.stop()
    await restarted()
    const since = lab.operator.messages.end
    await rm(again)
    await sensor.event(({ event }) => event === 'agent-started', 'what was kept back is said', 20_000, since)
    await sensor.stop()
    await disk.wearOut()
    await restarted()
    t.ok(sensor.process.running, 'the agent lives')
  },
)
