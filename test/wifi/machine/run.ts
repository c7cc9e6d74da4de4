import { join } from 'node:path'
import type { Test } from 'tap'
import { pki } from '../../lab/pki.ts'
import { makeP384 } from '../pki.ts'
import type { Telling } from '../telling.ts'
import { openJob } from './job.ts'
import { type Machine, powerOn } from './machine.ts'
import { prepared } from './prepared.ts'
import { agent, bundle } from './program.ts'

/**
 * `SONDE_WIFI_ONLY=roams npx tap test/wifi/library.test.ts` runs the scenarios with that word in their name alone.
 * Runs a program of test/wifi/inside in a virtual machine and makes every scenario it tells of a subtest of `t`; on a
 * machine that cannot, skips with the reason. `given` is the program's third argument, as JSON.
 */
export async function runInside(
  t: Test,
  source: string,
  radios: number,
  given: unknown = null,
): Promise<void> {
  const place = await prepared()
  if ('reason' in place) {
    await t.test('simulated radios', { skip: place.reason }, () => undefined)
    return
  }
  await using job = await openJob()
  // Keys are made out here, where they cost less.
  await Promise.all([pki(), makeP384()])
  await Promise.all([bundle(source, join(job.folder, 'program.cjs')), agent(job.folder)])
  const only = process.env['SONDE_WIFI_ONLY'] ?? ''
  const command = [
    process.execPath,
    '--enable-source-maps',
    '/run/job/program.cjs',
    only,
    JSON.stringify(given),
  ]
  await using machine = await powerOn({ folder: place.folder, job: job.folder, command, radios })
  const told = new Tellings(machine)
  let scenarios = 0
  let end: Telling | undefined
  while (end === undefined) {
    const first = await told.next()
    if (first?.kind === 'scenario') {
      scenarios += 1
      await t.test(first.name, sub => subtest(sub, told, machine))
    } else end = first ?? { kind: 'end', scenarios: NaN }
  }
  const complete = end.kind === 'end' && end.scenarios === scenarios && scenarios > 0
  t.ok(complete && (await machine.status()) === 0, 'the virtual machine ran every scenario and ended cleanly')
  t.comment(`booted in ${await machine.bootTime()} s`)
  if (!t.passing()) t.comment(await machine.words())
}

async function subtest(t: Test, told: Tellings, machine: Machine): Promise<void> {
  for (;;) {
    const telling = await told.next()
    switch (telling?.kind) {
      case 'check':
        t.ok(telling.ok, telling.sentence)
        if (telling.details) t.comment(details(telling.details))
        break
      case 'comment':
        t.comment(telling.text)
        break
      case 'over':
        t.comment(`${telling.ms} ms in the machine`)
        return
      case undefined:
      case 'figures':
      case 'scenario':
      case 'end':
        t.fail('the virtual machine ended in the middle of this', { words: await machine.words() })
        return
    }
  }
}

const details = (all: Record<string, unknown>): string =>
  Object.entries(all)
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('\n')

/** The machine's lines as they are told; what is no telling is passed over. */
class Tellings {
  readonly #lines: AsyncIterator<string, undefined>

  constructor(machine: Machine) {
    this.#lines = machine.lines[Symbol.asyncIterator]() as AsyncIterator<string, undefined>
  }

  async next(): Promise<Telling | undefined> {
    for (;;) {
      const { value } = await this.#lines.next()
      if (value === undefined) return undefined
      if (value.startsWith('{')) return JSON.parse(value) as Telling
    }
  }
}
