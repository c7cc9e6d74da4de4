/**
 * Device settings: one JSON file, overridden by the environment. Every problem is reported at once, with its path.
 * config/sonde.example.json shows them all; config/schema/settings.json is made from this schema.
 */
import { readFile } from 'node:fs/promises'
import * as z from 'zod/mini'
import { AgentError } from './errors.ts'
import { knownKeys } from './desired/parse.ts'
import { problemsOf, type Problem } from './desired/problems.ts'
import { Id } from './desired/profile.ts'
import { prefixPattern } from './desired/topics.ts'

const text = z.string().check(z.minLength(1), z.maxLength(1024))
/** wpa_supplicant reads keys there, by the same path. */
const folder = text.check(z.regex(/^\//, 'not an absolute path: begin it with /'))
const interfaceName = z.string().check(z.regex(/^[A-Za-z0-9_.-]{1,15}$/, 'not an interface name'))

const Mqtt = z.strictObject({
  /** Tried in turn: mqtt:// or mqtts://. */
  urls: z
    .array(
      z
        .url({
          ...{ protocol: /^mqtts?$/, hostname: /./ },
          error: 'not the URL of a broker, e.g. mqtts://broker.example.org',
        })
        .check(
          z.refine(
            url => !url.includes('@'),
            'holds a user or a password: they belong in mqtt.username and mqtt.password',
          ),
        ),
    )
    .check(z.minLength(1), z.maxLength(8)),
  prefix: z._default(
    z
      .string()
      .check(z.maxLength(128), z.regex(prefixPattern, 'not a topic: A-Z a-z 0-9 _ - between single slashes')),
    'sonde',
  ),
  username: z.optional(text),
  password: z.optional(text),
  /** Paths of PEM files. */
  ca: z.optional(text),
  certificate: z.optional(text),
  key: z.optional(text),
  /** Seconds. */
  keepalive: z._default(z.number().check(z.minimum(5), z.maximum(3600)), 60),
  /** Seconds without the broker after which a new desired state is taken back (last-known-good). */
  revertAfter: z._default(z.int().check(z.minimum(10), z.maximum(86400)), 600),
})

export const Settings = z.strictObject({
  /** Id of this sensor in MQTT topics; default: made of the serial. */
  sensor: z.optional(Id),
  /** Default: the board's serial, else the machine id. */
  serial: z.optional(text),
  /** Display name until a sensor document says another. */
  name: z.optional(text),
  stateDirectory: z.optional(folder),
  runtimeDirectory: z.optional(folder),
  /** D-Bus address of the bus wpa_supplicant is on. */
  bus: z._default(
    text.check(z.regex(/^[a-z]+:./, 'not a D-Bus address, e.g. unix:path=/run/dbus/system_bus_socket')),
    'unix:path=/run/dbus/system_bus_socket',
  ),
  /** The interfaces the agent joins networks with; no others are touched. */
  interfaces: z
    .array(
      z
        .strictObject({
          name: interfaceName,
          kind: z.enum(['wired', 'wireless']),
          /** Where the radio is: its regulatory domain. */
          country: z.optional(
            z
              .string()
              .check(z.regex(/^[A-Z]{2}$/, 'not a country: two capital letters of ISO 3166, e.g. DE')),
          ),
        })
        .check(
          z.refine(({ kind, country }) => kind === 'wireless' || country === undefined, {
            path: ['country'],
            message: 'a country is for a wireless interface: leave it out',
          }),
        ),
    )
    .check(z.minLength(1), z.maxLength(8)),
  /** How the broker is reached: by the main routing table, or over the joined network. */
  management: z.union([z.strictObject({ interface: interfaceName }), z.literal('tested')]),
  mqtt: Mqtt,
  /** Keep one key made while idle, so that an enrolment need not wait for it. */
  spareKeys: z._default(z.boolean(), true),
  renewals: z._default(
    z.strictObject({
      /** Seconds between two renewal attempts of this sensor (S1-23). */
      interval: z._default(z.int().check(z.minimum(10), z.maximum(86400)), 3600),
      /** No certificate may overtake another, however near its end. */
      strict: z._default(z.boolean(), false),
      /** 0 to 1: how far renewals of a fleet are spread, see docs/operations.md. */
      spread: z._default(z.number().check(z.minimum(0), z.maximum(1)), 0),
    }),
    { interval: 3600, strict: false, spread: 0 },
  ),
  time: z._default(
    z.strictObject({
      /** Addresses of time servers, asked over the joined network after those that DHCP names. */
      servers: z._default(z.array(text).check(z.maxLength(8)), []),
      /** The sensor has a battery clock, or is synchronised by something the agent cannot see. */
      trustSystemClock: z._default(z.boolean(), false),
    }),
    { servers: [], trustSystemClock: false },
  ),
  logLevel: z._default(z.enum(['trace', 'debug', 'info', 'warn', 'error']), 'info'),
  /** Documents in force until the broker's arrive. */
  bootstrap: z.optional(
    z.strictObject({
      networks: z._default(z.record(Id, z.unknown()), {}),
      sensor: z.optional(z.unknown()),
    }),
  ),
})

export type Settings = z.infer<typeof Settings> & { stateDirectory: string; runtimeDirectory: string }

/**
 * Reads the settings file and the environment (`STATE_DIRECTORY` and `RUNTIME_DIRECTORY` as systemd sets them,
 * `DBUS_SYSTEM_BUS_ADDRESS`, `SONDE_MQTT_URL`, `SONDE_MQTT_PASSWORD`, `SONDE_LOG_LEVEL`).
 * Throws `settings-invalid` naming every problem with its path.
 */
export async function readSettings(path: string, environment: NodeJS.ProcessEnv): Promise<Settings> {
  const raw = withEnvironment(await readJson(path), environment)
  const parsed = z.safeParse(Settings, raw)
  const problems = parsed.success
    ? contradictions(parsed.data)
    : problemsOf(parsed.error.issues, raw, at => knownKeys(Settings, at))
  if (!parsed.success || problems.length > 0) throw invalid(path, problems)
  return {
    ...parsed.data,
    stateDirectory: parsed.data.stateDirectory ?? environment['STATE_DIRECTORY'] ?? '/var/lib/sonde',
    runtimeDirectory: parsed.data.runtimeDirectory ?? environment['RUNTIME_DIRECTORY'] ?? '/run/sonde',
  }
}

/** What no setting says by itself. */
function contradictions({ interfaces, management, mqtt }: z.infer<typeof Settings>): Problem[] {
  const names = interfaces.map(({ name }) => name)
  const twice = names.flatMap((name, index) =>
    names.indexOf(name) < index
      ? [{ path: `interfaces[${String(index)}].name`, message: 'is there twice' }]
      : [],
  )
  const shared = management !== 'tested' && names.includes(management.interface)
  const hint = 'write "management": "tested" where the broker is reached over a tested interface'
  const alone = (['certificate', 'key'] as const).filter(name => mqtt[name] === undefined)
  const [missing] = alone
  return [
    ...twice,
    ...(shared ? [{ path: 'management.interface', message: 'is among the tested interfaces', hint }] : []),
    ...(alone.length === 1 && missing !== undefined
      ? [
          {
            path: `mqtt.${missing}`,
            message: 'is missing: a client certificate has a key, and a key a certificate',
          },
        ]
      : []),
  ]
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse((await readFile(path, 'utf8')).replace(/^\ufeff/, ''))
  } catch (cause) {
    throw invalid(path, [{ path: '', message: unreadable(cause) }], cause)
  }
}

/** The parser's own message may quote the file, and with it a password: only the place is taken from it. */
function unreadable(cause: unknown): string {
  if (cause instanceof SyntaxError) {
    const place = /at position \d+/.exec(cause.message)?.[0]
    return `it is not valid JSON, ${place ?? (cause.message.includes('end of JSON') ? 'it ends too early' : 'at its beginning')}`
  }
  const { code = 'unknown error' } = cause as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What is no object where one belongs is left as it is, for the schema to say so. */
function withEnvironment(raw: unknown, environment: NodeJS.ProcessEnv): unknown {
  if (!isObject(raw)) return raw
  const settings = { ...raw }
  const written = settings['mqtt'] ?? undefined
  const mqtt: Record<string, unknown> = isObject(written) ? { ...written } : {}
  if (environment['SONDE_MQTT_URL']) mqtt['urls'] = environment['SONDE_MQTT_URL'].split(/[\s,]+/)
  if (environment['SONDE_MQTT_PASSWORD']) mqtt['password'] = environment['SONDE_MQTT_PASSWORD']
  if (environment['DBUS_SYSTEM_BUS_ADDRESS']) settings['bus'] ??= environment['DBUS_SYSTEM_BUS_ADDRESS']
  if (environment['SONDE_LOG_LEVEL']) settings['logLevel'] = environment['SONDE_LOG_LEVEL']
  if (isObject(written) || (written === undefined && Object.keys(mqtt).length > 0)) settings['mqtt'] = mqtt
  return settings
}

const invalid = (path: string, problems: Problem[], cause?: unknown): AgentError =>
  new AgentError(
    {
      code: 'settings-invalid',
      title: 'The settings cannot be used',
      detail: problems
        .map(
          problem => `${problem.path || path}: ${problem.message}${problem.hint ? ` (${problem.hint})` : ''}`,
        )
        .join('; '),
      hint: `correct ${path} and start the agent again; config/sonde.example.json shows every setting`,
      side: 'configuration',
      retry: 'never',
    },
    { cause },
  )
