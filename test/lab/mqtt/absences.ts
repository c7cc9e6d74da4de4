/** A broker that goes and comes back while `sonde fleet` waits: it is waited for, and what nobody can know is said. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../command.ts'
import { lasting, mosquitto, type Broker } from './broker.ts'
import { wipe } from './brokers.ts'
import { fleet as fleetOf } from './console.ts'
import { operator } from './operator.ts'
import { sonde } from './program.ts'
import { arrived, sensor, until } from './sensor.ts'

/** Until what was said has it. */
const listener = () => {
  let said = ''
  return {
    hear: (text: string) => (said += text),
    until: (what: RegExp, ms = 10_000) =>
      until(
        () => what.test(said),
        ms,
        () => said,
      ),
    said: () => said,
  }
}

const restart = async (broker: Broker) => {
  await broker.stop('SIGTERM')
  await broker.start()
}

t.test('a broker that goes and comes back', async t => {
  await using broker = await mosquitto(lasting)
  await using console = await operator(broker.url, ['sonde/#'])
  const fleet = (line: string) => fleetOf(broker.url, line)
  const folder = t.testdir({ s1: {}, s2: {}, s3: {} })
  let whenAsked: () => Promise<void> = async () => undefined
  await using s1 = await sensor({
    ...{ directory: join(folder, 's1'), url: broker.url, name: 's1' },
    onCommand: async ({ payload }) => {
      const { id } = JSON.parse(payload.toString()) as { id: string }
      await whenAsked()
      const at = new Date().toISOString()
      s1.link.reply({ payload: JSON.stringify({ schema: 1, id, at, outcome: 'done', text: 'tested' }) })
    },
  })
  await arrived(s1)

  await t.test(
    'watch goes on: every event is heard or named as missing, and a presence that changed is said',
    async t => {
      const stop = new AbortController()
      const [heard, told] = [listener(), listener()]
      const watching = fleetOf(broker.url, 'watch --json', { signal: stop.signal, ...heard, tell: told.hear })
      await broker.says(/SUBSCRIBE from sonde-fleet/)
      s1.say('before')
      await heard.until(/before/)
      const gone = { schema: 1, state: 'offline', instance: 'x' }
      await broker.stop('SIGTERM')
      for (let i = 0; i < 100; i++) s1.say(`while it is away ${String(i)}`)
      await broker.start()
      await console.publish('sonde/sensors/other/presence', gone, { retain: true })
      await told.until(/is back after/)
      s1.say('afterwards')
      await heard.until(/afterwards/)
      await heard.until(/"sensor":"other","topic":"presence"/)
      stop.abort()
      t.equal((await watching).code, 0)
      t.match(told.said(), /^sonde fleet: the connection to the broker mqtt:\S+ was lost; it is asked again/)
      const lines = heard
        .said()
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as Line)
      const known = new Set<number>()
      for (const { topic, message, missing } of lines.filter(line => line.topic === 'events')) {
        if (message?.number !== undefined) known.add(message.number)
        for (let n = missing?.from ?? 1; n <= (missing?.to ?? 0); n++) known.add(n)
        t.equal(topic, 'events')
      }
      const [first, last] = [Math.min(...known), Math.max(...known)]
      t.equal(last - first, 101)
      t.equal(known.size, 102, 'none is passed over')
    },
  )

  await t.test('a change is followed through it', async t => {
    const told = listener()
    await using s2 = await sensor({ directory: join(folder, 's2'), url: broker.url, name: 's2' })
    await fleet('network add plain --interface wired')
    const assigning = fleetOf(broker.url, 'assign s2 plain --wait 20', { tell: told.hear, columns: 80 })
    await told.until(/0 of 1 applied/)
    await restart(broker)
    await told.until(/0 of 1 applied[^]*asked again/)
    await arrived(s2)
    t.match(await assigning, { code: 0, out: /1 of 1 sensors have it in force/ })
  })

  await t.test('a reply that was given meanwhile is asked for again', async t => {
    const told = listener()
    whenAsked = async () => {
      whenAsked = async () => undefined
      await broker.stop('SIGKILL')
      await broker.start()
    }
    const asking = fleetOf(broker.url, 'command s1 test --wait 20', { tell: told.hear })
    t.match(await asking, { code: 0, out: 'done: tested\n' })
    t.match(told.said(), /was lost/)
  })

  await t.test('a person who writes meanwhile loses nothing', async t => {
    const open = join(folder, 'open')
    const script = `#!/bin/sh\ntouch ${open}; while [ -e ${open} ]; do sleep 0.02; done\nsed -i 's/"schema"/"alias": "Late", "schema"/' "$1"\n`
    const EDITOR = join(folder, 'editor')
    await writeFile(EDITOR, script, { mode: 0o700 })
    const words = ['fleet', 'network', 'edit', 'plain', '--edit', '--wait', '0', '--broker', broker.url]
    const editing = sonde(words, { environment: { EDITOR } })
    await until(() => existsSync(open), 20_000)
    await restart(broker)
    await run('rm', [open])
    t.match(await editing, { code: 0, out: /plain is published/ })
    t.match(console.on('sonde/networks/plain').at(-1)?.json(), { alias: 'Late' })
  })

  await t.test('one that comes back without its documents is told from sensors that are slow', async t => {
    const told = listener()
    const adding = fleetOf(broker.url, 'assign s3 plain --wait 30', { tell: told.hear, columns: 80 })
    await told.until(/0 of 1 applied/)
    await broker.stop('SIGKILL')
    await wipe(broker)
    await broker.start()
    t.match(await adding, { code: 1, err: /s3: its document is not on the broker any more/ })
  })

  await t.test(
    'one that stays away ends it when the time is over, and what does not wait at once',
    async t => {
      const told = listener()
      const assigning = fleetOf(broker.url, 'assign s3 plain --force --wait 2', {
        tell: told.hear,
        columns: 80,
      })
      await told.until(/0 of 1 applied/)
      await broker.stop('SIGKILL')
      t.match(await assigning, { code: 3, err: /was lost/ })
    },
  )
})

t.test('a broker that comes back and does not want this user any more ends it', async t => {
  const folder = t.testdir()
  const passwords = join(folder, 'passwords')
  const let_in = (user: string) => run('mosquitto_passwd', ['-b', '-c', passwords, user, 'hush'])
  await let_in('boss')
  await using broker = await mosquitto([`password_file ${passwords}`])
  const environment = { SONDE_BROKER_USER: 'boss', SONDE_BROKER_PASSWORD: 'hush' }
  const watching = fleetOf(broker.url, 'watch', { environment })
  await broker.says(/SUBSCRIBE from sonde-fleet/)
  await broker.stop()
  await let_in('another')
  await broker.start()
  t.match(await watching, { code: 3, err: /was lost.*\n.*Not authorized\n {2}look at --user/ })
})

t.test(
  'where the user name is the client id, commands of one person let each other have their time',
  async t => {
    const passwords = join(t.testdir(), 'passwords')
    await run('mosquitto_passwd', ['-b', '-c', passwords, 'boss', 'hush'])
    await using broker = await mosquitto([`password_file ${passwords}`, 'use_username_as_clientid true'])
    const environment = { SONDE_BROKER_USER: 'boss', SONDE_BROKER_PASSWORD: 'hush' }
    const stop = new AbortController()
    const told = listener()
    const watching = fleetOf(broker.url, 'watch', { environment, signal: stop.signal, tell: told.hear })
    await broker.says(/SUBSCRIBE from boss/)
    for (let turn = 1; turn <= 3; turn++) {
      t.match(
        await fleetOf(broker.url, 'list', { environment }),
        { code: 0 },
        'one that is short has its turn',
      )
      if (turn < 3) await told.until(new RegExp(`(back after[^]*){${String(turn)}}`))
    }
    await told.until(/another command of this account may push this one off/)
    stop.abort()
    t.equal((await watching).code, 0)
  },
)

interface Line {
  topic: string
  message?: { number?: number }
  missing?: { from: number; to: number }
}
