import { type ChildProcess } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { onNetworkChange } from '../../../agent/path/monitor.ts'

t.test('a monitor of the network that ends at once is not started again without a pause', async t => {
  const path = process.env['PATH']
  const started: ChildProcess[] = []
  const count = (message: unknown): void => {
    started.push((message as { process: ChildProcess }).process)
  }
  const waiting: { then: () => void; ms: number }[] = []
  const later = (then: () => void, ms: number) => {
    waiting.push({ then, ms })
    return { unref: () => undefined }
  }
  // What is awaited here keeps no process alive.
  const awake = setInterval(() => undefined, 60_000)
  t.intercept(globalThis, 'setTimeout', { value: later })
  subscribe('child_process', count)
  process.env['PATH'] = t.testdir()
  let told = 0
  const stop = onNetworkChange(() => {
    told += 1
  })
  t.teardown(() => {
    stop()
    clearInterval(awake)
    process.env['PATH'] = path
    unsubscribe('child_process', count)
  })
  // Of what else the process starts at this moment nothing is said.
  const monitors = (): ChildProcess[] => started.filter(({ spawnargs }) => spawnargs.includes('monitor'))
  const ended = (): Promise<unknown> => new Promise(resolve => monitors().at(-1)?.once('close', resolve))
  await ended()
  t.same([monitors().length, told], [1, 0], 'the programs are not there, or there is no room for a process')
  const next = waiting.find(({ ms }) => ms === 1_000)
  t.ok(next, 'it waits for a second')
  next?.then()
  t.same(
    [monitors().length, told],
    [2, 1],
    'a second later it is tried again, and who listens looks for himself',
  )
  await ended()
  t.equal(monitors().length, 2)
})
