/** The demonstration itself, run as `npm run demo` runs it, without its preparation of the machine. */
import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import t from 'tap'
import { breakages } from '../demo/breakages.ts'
import { demonstrate } from '../demo/demonstration.ts'
import type { SensorEvent } from '../demo/story.ts'

const never = new AbortController().signal

/** What a run wrote, and the namespaces that are left of it. */
async function run(options: Partial<Parameters<typeof demonstrate>[0]>, signal = never) {
  const written = { out: '', errors: '' }
  const outputs = {
    out: { write: (text: string) => (written.out += text) },
    errors: { write: (text: string) => (written.errors += text) },
  }
  const chosen = { stay: false, json: false, broken: undefined, ...options }
  const code = await demonstrate(chosen, outputs, signal)
  const left = (await readdir('/run/netns')).filter(name => name.startsWith(`sonde-${process.pid}-`))
  return { code, ...written, left }
}

t.test('the story is told line by line and ends with the certificate; nothing is left behind', async t => {
  const { code, out, left } = await run({})
  t.equal(code, 0)
  const titles = [
    ...['enrollment network joined by PEAP', 'DHCP lease on the enrollment network', 'GetCACaps'],
    ...['GetCACert', 'private key generated meanwhile', 'PKCSReq', 'certificate issued'],
    ...['certificate and network block handed over', 'tested network joined by EAP-TLS'],
    ...['DHCP lease on the tested network', 'SCEP server reachable over it', 'state reported'],
  ]
  for (const title of titles) t.match(out, new RegExp(`^ ✓ .*${title}`, 'm'))
  t.match(out, /names +DNS:sensor-1\.example\.org/)
  t.match(out, /^ corp joined with a certificate of its own, .* after its documents were published$/m)
  t.same(left, [])
})

t.test("--json prints the sensor's events as lines, and nothing else", async t => {
  const { code, out } = await run({ json: true })
  t.equal(code, 0)
  const events = out
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as SensorEvent)
  t.ok(events.some(({ event }) => event === 'certificate-issued'))
  t.ok(events.every(({ at, text }) => Date.parse(at) > 0 && text !== ''))
})

t.test('a wrong challenge password: whose fault it is, where the logs are, exit code 1', async t => {
  const { code, out, left } = await run({ broken: breakages['password'] })
  t.equal(code, 1)
  t.match(out, /^ ✗ .*obtain a certificate for corp/m)
  t.match(out, /failed +obtain a certificate for corp over onboarding\n/)
  t.match(out, /at fault +the (server|configuration)\n/)
  t.match(out, /what to do +\S/)
  t.notMatch(out, /wrong/, 'the password is not shown')
  const folder = /logs +(\S+)/.exec(out)?.[1] ?? ''
  t.ok(existsSync(`${folder}/sensor-1.log`), 'the logs are kept')
  await rm(folder, { recursive: true })
  t.same(left, [])
})

t.test('interrupted while it stays, it takes everything down', async t => {
  const stop = new AbortController()
  const written: string[] = []
  const out = {
    write: (text: string) => {
      written.push(text)
      if (text.includes('until Ctrl-C')) stop.abort(new Error('SIGINT'))
    },
  }
  const options = { stay: true, json: false, broken: undefined }
  const code = await demonstrate(options, { out, errors: out }, stop.signal)
  t.equal(code, 0)
  const left = (await readdir('/run/netns')).filter(name => name.startsWith(`sonde-${process.pid}-`))
  t.same(left, [])
})
