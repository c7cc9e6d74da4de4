/** What the demonstration tells, to its good end and to its bad ones. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { breakages } from '../../demo/breakages.ts'
import { demonstrate } from '../../demo/demonstration.ts'
import type { SensorEvent } from '../../demo/story.ts'
import { checkout } from '../pki.ts'

const never = new AbortController().signal

t.setTimeout(120_000)
// Each waits for daemons most of its time, so several laboratories stand side by side.
const beside = { jobs: 3 }

/** What a run wrote. */
async function run(options: Partial<Parameters<typeof demonstrate>[0]>, signal = never) {
  const written = { out: '', errors: '' }
  const outputs = {
    out: { write: (text: string) => (written.out += text) },
    errors: { write: (text: string) => (written.errors += text) },
  }
  const chosen = { stay: false, json: false, broken: undefined, ...options }
  const code = await demonstrate(chosen, outputs, signal)
  return { code, ...written }
}

/** The titles of the timeline in a text; where the second key comes from is a matter of the machine's speed. */
const titles = (text: string): string[] =>
  [...text.matchAll(/^ ✓ .{8}(.{36})/gm)].map(([, title = '']) =>
    title.trimEnd().replace(/^private key .*/, 'private key'),
  )

const linesOf = (out: string): SensorEvent[] =>
  out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as SensorEvent)

/** The bad ends: what is said, and that the logs are where it is said. */
async function failing(
  t: Test,
  breakage: string,
  said: Record<'failed' | 'at fault', RegExp>,
): Promise<string> {
  const { code, out } = await run({ broken: breakages[breakage] })
  t.equal(code, 1)
  for (const [row, words] of Object.entries(said))
    t.match(out, new RegExp(`^   ${row} +${words.source}$`, 'm'), row)
  t.match(out, /what to do +\S/)
  const folder = /logs +(\S+)/.exec(out)?.[1] ?? ''
  t.ok(existsSync(`${folder}/sensor-1.log`), 'the logs are kept')
  await rm(folder, { recursive: true })
  return out
}

void t.test('the demonstration', beside, t => {
  void t.test('the story is told line by line and ends with both certificates', async t => {
    const { code, out } = await run({})
    t.equal(code, 0)
    const [first = '', second = ''] = out.split('The certificate is renewed over the tested network itself')
    const chapters: [string, string[]][] = [
      [
        first,
        [
          ...['enrollment network joined by PEAP', 'DHCP lease on the enrollment network', 'GetCACaps'],
          ...['GetCACert', 'private key generated meanwhile', 'PKCSReq', 'certificate issued'],
          ...['certificate, network block installed', 'tested network joined by EAP-TLS'],
          ...['DHCP lease on the tested network', 'SCEP server reachable over it', 'state reported'],
        ],
      ],
      [
        second,
        [
          ...['command renew published', 'GetCACaps', 'GetCACert', 'private key', 'RenewalReq'],
          ...['new certificate issued', 'certificate, network block installed'],
          ...['EAP-TLS with the new certificate +full authentication', 'DHCP lease on the tested network'],
          ...['gap: the time without an address .* ms', 'SCEP server reachable over it'],
          ...['state reported +serial 03 in force', 'counted and logged meanwhile'],
        ],
      ],
    ]
    for (const [text, titles] of chapters)
      for (const title of titles) t.match(text, new RegExp(`^ ✓ .*${title}`, 'm'))
    t.match(first, /names +DNS:sensor-1\.example\.org/)
    t.match(
      second,
      /^ +SCEP +br-tested [1-9]\d*, br-enroll 0, eth1 0\n +DNS +br-tested [1-9]\d*, br-enroll 0, eth1 0\n/m,
    )
    t.match(second, /^ +RADIUS +accepted serial 03$/m)
    t.match(second, /^ corp joined with a certificate of its own, .* after its documents$/m)
    t.match(second, /^ +serial +02 +03$/m)
    t.match(second, /^ all of it, the laboratory included, took \d/m)
    t.notMatch(out, /\x1b/, 'plain in a pipe')
    const shown = titles((await readFile(join(checkout(), 'README.md'), 'utf8')).split('# npm test')[0] ?? '')
    t.ok(shown.length > 20, 'README.md shows the story')
    t.same(
      shown.filter(title => !titles(out).includes(title)),
      [],
      'in the words of the demonstration',
    )
  })

  void t.test(
    "--json prints the sensor's events as lines, with the end's figures, and nothing else",
    async t => {
      const { code, out } = await run({ json: true })
      t.equal(code, 0)
      const events = linesOf(out)
      t.ok(events.every(({ at, event, text }) => Date.parse(at) > 0 && event !== '' && text !== ''))
      for (const name of ['certificate-issued', 'certificate-in-use', 'demonstration-succeeded'])
        t.ok(
          events.some(({ event }) => event === name),
          name,
        )
      const { gapMs, certificates, packets } = events.at(-1)?.data as Record<string, unknown> & {
        gapMs: number
      }
      t.ok(gapMs > 0, `the gap: ${String(gapMs)} ms`)
      t.match(
        { certificates, packets },
        {
          certificates: [{ serial: '02' }, { serial: '03' }],
          packets: { renewal: { enroll: { scep: 0, dns: 0 }, management: { scep: 0, dns: 0 } } },
        },
      )
    },
  )

  void t.test('--json ends with a line of its own also when it is interrupted', async t => {
    const { code, out } = await run({ json: true }, AbortSignal.abort(new Error('SIGTERM')))
    t.equal(code, 130)
    t.match(linesOf(out).at(-1), { event: 'demonstration-interrupted', severity: 'info' })
  })

  void t.test('a wrong challenge password: whose fault it is, where the logs are, exit code 1', async t => {
    const out = await failing(t, 'password', {
      failed: /obtain a certificate for corp over onboarding/,
      'at fault': /the (server|configuration)/,
    })
    t.match(out, /^ ✗ .*obtain a certificate for corp/m)
    t.notMatch(out, /wrong/, 'the password is not shown')
  })

  void t.test('a machine on which a process may open too few files is at fault itself', async t => {
    const demo = join(checkout(), 'test/setup/demo.mjs')
    const line = ['-c', 'ulimit -n 60; exec "$0" "$1"', process.execPath, demo]
    const told = await promisify(execFile)('sh', line).catch((error: unknown) => error)
    t.match(told, { code: 1, stdout: /^ ✗ /m, stderr: '' })
    const { stdout } = told as { stdout: string }
    t.match(stdout, /seen +[^]*EMFILE[^]*at fault +this machine\n +what to do +let .* ulimit -n \d+\n/)
    const folder = /logs +(\S+)/.exec(stdout)?.[1] ?? ''
    t.ok(existsSync(folder), 'the logs are kept')
    await rm(folder, { recursive: true })
  })

  void t.test('the SCEP server dies between the chapters', async t => {
    const out = await failing(t, 'renewal-scep', {
      failed: /renew the certificate of corp over corp/,
      'at fault': /the network/,
    })
    t.match(out, /^ ✗ .*renew the certificate of corp over /m)
    t.match(out, /seen +.*ECONNREFUSED/)
  })

  void t.test(
    'S2-51, S2-52: SCEP packets on eth1 during the renewal fail the demonstration, although the sensor reports success',
    async t => {
      const out = await failing(t, 'renewal-leak', {
        failed: /renew the certificate of corp over corp alone/,
        'at fault': /the sensor, although it reports success/,
      })
      t.match(out, /^ ✓ .*state reported +serial 03 in force$/m)
      t.match(out, /^ ✗ .*counted and logged meanwhile\n +SCEP +br-tested [1-9]\d*, br-enroll 0, eth1 [1-9]/m)
    },
  )
  t.end()
})

t.test('no namespace is left of any of them', async t => {
  const left = (await readdir('/run/netns')).filter(name => name.startsWith(`sonde-${process.pid}-`))
  t.same(left, [])
})
