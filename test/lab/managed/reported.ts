/** What the real agent reports of itself is complete, and `sonde status` shows the same without a broker. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { cleanEnvironment, run, slowness } from '../command.ts'
import { documents } from '../documents.ts'
import { raise } from '../lab.ts'
import { folderOf } from '../main-job/credential.ts'
import { publish, tested } from '../main-job/scene.ts'
import { checkout } from '../pki.ts'

const time = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/

const whole = {
  schema: 1,
  about: {
    ...{ sensor: 'sensor-1', serial: 'sensor-1', name: String, model: String, hostname: String },
    ...{ macs: { eth0: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/ }, version: String, node: /^v\d/, startedAt: time },
  },
  clock: { trusted: Boolean, source: String, system: String },
  health: { load: Number, memoryAvailable: Number, diskAvailable: Number, uptime: Number },
  interfaces: { eth0: { supplicant: true, joined: 'corp', address: /^[\d.]+$/, gateway: /^[\d.]+$/ } },
  networks: {
    corp: {
      ...{ phase: 'joined', role: 'tested', alias: 'Corporate', interface: 'eth0', assignment: 'first' },
      certificate: {
        ...{
          fingerprint: /^[0-9a-f]{64}$/,
          sha1: /^[0-9a-f]{40}$/,
          subject: 'CN=sensor-1',
          issuer: /O=Lab/,
          serial: String,
        },
        ...{ names: Array, key: /rsa/i, notBefore: time, notAfter: time },
      },
      renewal: { rule: String, due: time, forecast: String },
      lastJoin: { at: time, ms: Number, stages: Object },
      lastTest: { at: time, passed: true, probes: Array },
    },
    onboarding: { role: 'enrollment' },
  },
  schemas: { network: [1], sensor: [1] },
  applied: { desired: { version: 1 } },
  ...{ problems: [], awaiting: [] },
}

t.test(
  'S2-61: the report is complete and small, and `sonde status` shows it without a broker, and why there is none',
  async t => {
    await using lab = await raise(t)
    const sensor = await lab.sensor()
    await publish(lab, await documents(lab))
    const reported = await tested(sensor)
    t.match(reported, whole)
    const bytes = JSON.stringify(reported).length
    t.ok(bytes < 8192, `${String(bytes)} bytes`)

    await lab.broker.stop()
    const status = (...words: string[]): Promise<{ code: number; text: string }> =>
      new Promise(resolve => {
        const command = [join(checkout(), 'dist', 'sonde.cjs'), 'status', ...words]
        const env = { ...cleanEnvironment, RUNTIME_DIRECTORY: join(sensor.state, '..', 'run') }
        execFile(process.execPath, command, { env, timeout: 10_000 * slowness }, (error, text) => {
          resolve({ code: error === null ? 0 : Number(error.code), text })
        })
      })
    // The file follows within a second; until then the command says nothing or shows what was before.
    const deadline = performance.now() + 10_000
    let shown: unknown
    while (performance.now() < deadline && !(isTested(shown) && saysWhy(shown)))
      shown = JSON.parse((await status('--json')).text || 'null')
    t.match(shown, whole)
    t.match(shown, {
      link: {
        problem: {
          ...{ code: 'broker-unreachable', detail: /ECONNREFUSED/, hint: /whether the broker runs/ },
          ...{ side: 'network', since: time, last: time, count: Number },
        },
      },
    })
    const { code, text } = await status()
    t.equal(code, 1, 'a broker that is not reached is a problem')
    t.match(text, /^The broker is not reached \(broker-unreachable\)\n +.*ECONNREFUSED.*\n +look whether/m)
    const { notAfter = '' } = reported.networks['corp']?.certificate as { notAfter?: string }
    // More of the report than the other laboratories look at.
    const { renewal, certificate } = reported.networks['corp'] as unknown as {
      renewal?: { due?: string }
      certificate?: { fingerprint: string; sha1: string }
    }
    const due = renewal?.due ?? 'no due date'
    for (const words of ['sensor-1', 'corp', 'joined', 'CN=sensor-1', notAfter, due])
      t.ok(text.includes(words), words)
    t.match(text, /^Uptime +\d+ (s|min|h|d)$/m)
    const by = { sha1: certificate?.sha1, sha256: certificate?.fingerprint }
    for (const [digest, hex] of Object.entries(by)) {
      const shown = await run('openssl', [
        ...['x509', '-noout', '-fingerprint', `-${digest}`],
        ...['-in', join(folderOf(sensor), 'current', 'certificate.pem')],
      ])
      const fingerprint = shown.trim().split('=')[1] ?? 'none'
      t.ok(text.includes(fingerprint), `${digest}, as openssl shows it`)
      t.equal(hex, fingerprint.replaceAll(':', '').toLowerCase())
    }
  },
)

const saysWhy = (shown: unknown): boolean =>
  (shown as { link?: { problem: { detail: string } } } | null | undefined)?.link?.problem.detail.includes(
    'REFUSED',
  ) === true

const isTested = (shown: unknown): boolean =>
  (shown as { networks?: { corp?: { lastTest?: unknown } } } | null | undefined)?.networks?.corp?.lastTest !==
  undefined
