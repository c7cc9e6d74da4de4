import { rm } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { AgentError } from '../../../agent/errors.ts'
import type { Reply } from '../../../agent/desired/messages.ts'
import { Commands, type CommandSettings } from '../../../agent/mqtt/commands.ts'

const day = 86_400_000

interface Bench {
  commands: Commands
  executed: string[]
  replies: (Reply & { responseTopic?: string | undefined })[]
  clock: { now: number; trusted: boolean }
  take: (command: unknown, more?: object) => Promise<void>
  settled: () => Promise<void>
}

async function bench(t: Test, more: Partial<CommandSettings> = {}): Promise<Bench> {
  const self: Omit<Bench, 'commands'> = {
    executed: [],
    replies: [],
    clock: { now: Date.UTC(2026, 0, 1), trusted: true },
    take: async (command, properties = {}) => {
      const payload = Buffer.isBuffer(command) ? command : Buffer.from(JSON.stringify(command))
      await commands.take({ topic: 'c', payload, retain: false, ...properties })
    },
    settled: async () => {
      while (self.executed.length > self.replies.length) await new Promise(resolve => setTimeout(resolve, 2))
    },
  }
  const commands = await Commands.open({
    directory: more.directory ?? t.testdir(),
    clock: () => self.clock,
    execute: async ({ id }) => {
      self.executed.push(id)
      return { outcome: 'done', text: 'tested' }
    },
    reply: ({ payload, responseTopic }) =>
      self.replies.push({ ...(JSON.parse(payload) as Reply), responseTopic }),
    ...more,
  })
  return { ...self, commands }
}

t.test('a command is executed and answered, to where MQTT 5 asks for it', async t => {
  const { take, settled, replies } = await bench(t)
  await take(
    { id: 'a', command: 'test', network: 'corp' },
    { responseTopic: 'answers', correlationData: Buffer.from('1') },
  )
  await settled()
  t.match(replies, [
    {
      schema: 1,
      id: 'a',
      command: 'test',
      outcome: 'done',
      text: 'tested',
      at: '2026-01-01T00:00:00.000Z',
      responseTopic: 'answers',
    },
  ])
})

t.test('an id is executed once; a repeat gets the stored reply, also after a restart', async t => {
  const directory = t.testdir()
  const first = await bench(t, { directory })
  for (let i = 0; i < 3; i++) {
    await first.take({ id: 'a', command: 'renew', network: 'corp' })
    await first.settled()
  }
  t.same(first.executed, ['a'])
  t.match(first.replies, [{ outcome: 'done' }, { outcome: 'done', repeated: true }, { repeated: true }])
  const second = await bench(t, { directory })
  await second.take({ id: 'a', command: 'renew', network: 'corp' })
  t.same(second.executed, [])
  t.match(second.replies, [{ id: 'a', command: 'renew', outcome: 'done', repeated: true }])
})

t.test(
  'an id is on disk before anything is done: an agent that dies in between does not do it twice',
  async t => {
    const directory = t.testdir()
    const first = await bench(t, { directory, execute: () => new Promise(() => undefined) })
    await first.take({ id: 'a', command: 'remove-certificate', network: 'corp' })
    const second = await bench(t, { directory })
    t.match(second.replies, [{ id: 'a', outcome: 'interrupted' }])
    await second.take({ id: 'a', command: 'remove-certificate', network: 'corp' })
    t.same(second.executed, [])
    t.match(second.replies[1], { outcome: 'interrupted', repeated: true })
  },
)

t.test('what is not executed is answered with why', async t => {
  const cases: [string, unknown, object, object][] = [
    [
      'an unknown command',
      { id: 'a', command: 'reboot' },
      {},
      { id: 'a', problems: [{ path: 'command', message: /^is none of/ }] },
    ],
    [
      'a mistyped command',
      { id: 'a', command: 'renw', network: 'x' },
      {},
      { problems: [{ path: 'command', hint: 'did you mean "renew"?' }] },
    ],
    [
      'no network',
      { id: 'a', command: 'renew' },
      {},
      { problems: [{ path: 'network', message: 'is missing' }] },
    ],
    [
      'a key too many',
      { id: 'a', command: 'diagnostics', network: 'x' },
      {},
      { problems: [{ path: 'network' }] },
    ],
    ['no id', { command: 'test' }, {}, { id: '', problems: [{ path: 'id', message: 'is missing' }] }],
    ['an id that is none', { id: 'a b', command: 'test' }, {}, { id: '', problems: [{ path: 'id' }] }],
    ['no JSON', Buffer.from('renew'), {}, { id: '', problems: [{ message: 'is not JSON' }] }],
    ['too much', Buffer.alloc(20_000, 0x20), {}, { problems: [{ message: /at most 16384/ }] }],
    ['a retained one', { id: 'a', command: 'test' }, { retain: true }, { id: 'a', text: /retained/ }],
    [
      'a late one',
      { id: 'a', command: 'test', expires: '2025-12-31T23:59:59Z' },
      {},
      { text: /^it expired at 2025-12-31T23:59:59Z; it is 2026-01-01/ },
    ],
  ]
  for (const [name, command, properties, expected] of cases) {
    const { take, executed, replies } = await bench(t)
    await take(command, properties)
    t.match(replies, [{ outcome: 'refused', ...expected }], name)
    t.same(executed, [], name)
  }
})

t.test('an id that was refused is not used up', async t => {
  const { take, commands, executed } = await bench(t)
  await take({ id: 'a', command: 'renew' })
  await take({ id: 'a', command: 'renew', network: 'corp' })
  await commands[Symbol.asyncDispose]() // the refusal was answered too: counting replies would not wait for the file
  t.same(executed, ['a'])
})

t.test(
  'a retained command is answered once, not with every connection; an emptied topic is no command',
  async t => {
    const { take, replies } = await bench(t)
    for (let i = 0; i < 3; i++) await take({ id: 'a', command: 'test' }, { retain: true })
    await take(Buffer.alloc(0), { retain: true })
    t.equal(replies.length, 1)
  },
)

t.test('expiry is judged by a trusted clock alone', async t => {
  const { take, settled, executed, clock } = await bench(t)
  clock.trusted = false
  await take({ id: 'a', command: 'test', expires: '2020-01-01T00:00:00Z' })
  await settled()
  t.same(executed, ['a'])
})

t.test('ids are kept for seven days of a trusted clock', async t => {
  const { take, settled, commands, executed, clock } = await bench(t)
  const send = async (id: string) => {
    await take({ id, command: 'test' })
    await settled()
  }
  await send('a')
  clock.now += 6.9 * day
  await send('b')
  await send('a')
  t.same(executed, ['a', 'b'])
  clock.now += 0.2 * day
  await send('c')
  await send('a')
  t.same(executed, ['a', 'b', 'c', 'a'], 'then the id is free again')
  clock.trusted = false
  await send('d')
  clock.now += 3650 * day
  clock.trusted = true
  await send('e')
  await send('d')
  t.same(executed.slice(4), ['d', 'e'], 'a clock that was wrong ages nothing')
  await commands[Symbol.asyncDispose]() // repeated replies were counted too: the last file may not be written yet
})

t.test('a failure is answered with its finding; a large answer is not kept', async t => {
  const finding = {
    code: 'c',
    title: 'It failed',
    detail: '',
    hint: '',
    side: 'sensor',
    retry: 'never',
  } as const
  const { take, settled, replies } = await bench(t, {
    execute: async ({ id }) => {
      if (id === 'a') throw new AgentError(finding)
      if (id === 'b') throw new Error('defect')
      return { outcome: 'done', text: 'bundle', data: { log: 'x'.repeat(100_000) } }
    },
  })
  for (const id of ['a', 'b', 'c']) {
    const before = replies.length
    await take({ id, command: 'diagnostics' })
    while (replies.length === before) await new Promise(resolve => setTimeout(resolve, 2))
  }
  await settled()
  t.match(replies, [
    { outcome: 'failed', text: 'It failed', problem: finding },
    { outcome: 'failed', text: 'defect' },
    { outcome: 'done' },
  ])
  await take({ id: 'c', command: 'diagnostics' })
  t.equal(replies[3]?.data, undefined)
  t.match(replies[3], { outcome: 'done', text: /not kept/, repeated: true })
})

t.test('a disk that is full: the command is not executed', async t => {
  const errors: unknown[] = []
  const directory = t.testdir()
  const { take, executed, replies } = await bench(t, { directory, onError: error => errors.push(error) })
  await rm(directory, { recursive: true })
  await take({ id: 'a', command: 'test' })
  t.same(executed, [])
  t.match(replies, [{ outcome: 'refused', text: /cannot be remembered/ }])
  t.match(errors, [{ code: 'ENOENT' }])
})

t.test('an id is known for seven days, whatever comes after it', async t => {
  const { take, settled, executed, replies, clock } = await bench(t)
  await take({ id: 'first', command: 'test' })
  await Promise.all(Array.from({ length: 1100 }, (_, i) => take({ id: `c${i}`, command: 'test' })))
  clock.now += 6 * day
  await take({ id: 'last', command: 'test' })
  await settled()
  await take({ id: 'first', command: 'test' })
  t.equal(executed.length, 1102)
  t.match(replies.at(-1), { id: 'first', outcome: 'done', repeated: true })
})
