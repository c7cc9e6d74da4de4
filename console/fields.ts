/**
 * The fields of Add Network (S2-14 … S2-49, S2-82), once for the flags of `network add|edit` and for its wizard.
 * Pure but for the files that certificates and passwords come from.
 */
import { readFile } from 'node:fs/promises'
import { Wireless } from '../agent/desired/profile.ts'
import { exitCodes, unreadable, usage } from './failure.ts'

type Document = Record<string, unknown>

export interface FieldOf {
  /** `--flag value` */
  flag: string
  /** Where it goes: `scep.url`. */
  path: string
  /** What the wizard asks; undefined: only by flag. */
  question?: string
  /** Row of the contract. */
  row?: string
  choices?: readonly string[]
  secret?: boolean
  /** May be given more than once. */
  many?: boolean
  /** The value is the path of a file with it. */
  file?: boolean
  /** Whether the wizard asks, by what is known already. */
  asked?: (document: Document) => boolean
  /** Of the text of one value; `flag` for what is said when it cannot be read. */
  read?: (text: string, flag: string) => unknown
}

/** What a document holds at a path; undefined where nothing is. */
export const valueAt = (document: Document, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Document | undefined)?.[key], document)

/** The interface is of that kind, or has a name, and may be. */
const mayBeWireless = ({ interface: port = 'wired' }: Document): boolean => port !== 'wired'
const wireless = (document: Document): boolean =>
  document['interface'] === 'wireless' || document['wireless'] !== undefined
const personal = (document: Document): boolean =>
  /psk|sae/.test(String(valueAt(document, 'wireless.security')))
const certificate = (document: Document): boolean => valueAt(document, 'eap.method') === 'TLS'
const password = (document: Document): boolean =>
  ['PEAP', 'TTLS'].includes(String(valueAt(document, 'eap.method')))
const mayUse8021x = (document: Document): boolean =>
  !wireless(document) || String(valueAt(document, 'wireless.security')).includes('enterprise')

/** S2-55, S2-53. */
function renewal(text: string): unknown {
  if (text === 'half-life' || text === 'manual') return { when: text }
  const [, number = '', unit] = /^(\d+)\s*(d|days|%)?$/.exec(text) ?? []
  if (number === '')
    throw usage(`--renewal ${text}: not half-life, manual, a number of days, or a percentage`)
  return unit === '%' ? { percent: Number(number) } : { daysBeforeExpiry: Number(number) }
}

export const isYes = (text: string): boolean => /^(y|yes|true|on|1)$/i.test(text.trim())

/** A word that is neither must not switch a network of the whole fleet off. */
function yes(text: string, flag: string): boolean {
  if (!isYes(text) && !/^(n|no|false|off|0)$/i.test(text)) throw usage(`--${flag} ${text}: not yes or no`)
  return isYes(text)
}

/** What is no number is left for the schema to refuse, with its place. */
const number = (text: string): unknown => (Number.isNaN(Number(text)) ? text : Number(text))

export const fields: readonly FieldOf[] = [
  {
    flag: 'interface',
    path: 'interface',
    question: 'Interface: wired, wireless, or the name of one',
    row: 'S2-15',
  },
  {
    flag: 'ssid',
    path: 'wireless.ssid',
    question: 'SSID (of a wired interface: empty)',
    row: 'S2-15',
    asked: mayBeWireless,
  },
  { flag: 'alias', path: 'alias', question: 'Alias (optional)', row: 'S2-16' },
  {
    flag: 'security',
    path: 'wireless.security',
    question: 'Security',
    row: 'S2-17',
    choices: Wireless.shape.security.options,
    asked: wireless,
  },
  { flag: 'hidden', path: 'wireless.hidden', read: yes },
  { flag: 'bssid', path: 'wireless.bssid' },
  { flag: 'frequency', path: 'wireless.frequencies', many: true, read: number },
  { flag: 'passphrase', path: 'wireless.passphrase', question: 'Passphrase', secret: true, asked: personal },
  {
    flag: 'method',
    path: 'eap.method',
    question: 'EAP method: TLS is by certificate (empty: no 802.1X)',
    row: 'S2-18',
    choices: ['TLS', 'PEAP', 'TTLS'],
    asked: mayUse8021x,
  },
  { flag: 'identity', path: 'eap.identity', question: 'Identity', asked: password },
  { flag: 'password', path: 'eap.password', question: 'Password', secret: true, asked: password },
  { flag: 'anonymous-identity', path: 'eap.anonymousIdentity' },
  { flag: 'phase2', path: 'eap.phase2', choices: ['MSCHAPV2', 'PAP'] },
  {
    flag: 'server-name',
    path: 'eap.serverName',
    question: 'Name of the RADIUS server (optional)',
    asked: d => certificate(d) || password(d),
  },
  {
    flag: 'server-ca',
    path: 'eap.serverCa',
    question: 'Specify Server CA: PEM file (optional for TLS)',
    row: 'S2-82',
    many: true,
    file: true,
    asked: d => certificate(d) || password(d),
  },
  {
    flag: 'accept-any-server',
    path: 'eap.acceptAnyServer',
    question: 'No CA: is any RADIUS server accepted, which then sees the password? (yes, no)',
    read: yes,
    asked: d => password(d) && valueAt(d, 'eap.serverCa') === undefined,
  },
  { flag: 'server-ca-only', path: 'eap.serverCaOnly', read: yes },
  { flag: 'server-exact-name', path: 'eap.serverExactName' },
  { flag: 'server-alternative-name', path: 'eap.serverAlternativeName' },
  { flag: 'server-pin', path: 'eap.serverPin' },
  { flag: 'tls-minimum', path: 'eap.tlsMinimum' },
  { flag: 'tls-maximum', path: 'eap.tlsMaximum' },
  { flag: 'fragment-size', path: 'eap.fragmentSize', read: number },
  { flag: 'unsafe-renegotiation', path: 'eap.legacy.unsafeRenegotiation', read: yes },
  { flag: 'weak-ciphers', path: 'eap.legacy.weakCiphers', read: yes },
  {
    flag: 'enrollment-network',
    path: 'scep.enrollmentNetwork',
    question: 'Enrollment network (its id)',
    row: 'S2-20',
    asked: certificate,
  },
  { flag: 'url', path: 'scep.url', question: 'SCEP server URL', row: 'S2-21', asked: certificate },
  { flag: 'ca-identifier', path: 'scep.caIdentifier', row: 'S1-54' },
  {
    flag: 'common-name',
    path: 'scep.subject.commonName',
    question: 'Common name: {serial}, {name} or a text (optional)',
    row: 'S2-24',
    asked: certificate,
  },
  {
    flag: 'alternative-name',
    path: 'scep.alternativeNames',
    question: 'Alternative names, e.g. dns:{name} (optional)',
    row: 'S2-30',
    many: true,
    asked: certificate,
  },
  {
    flag: 'challenge-password',
    path: 'scep.challengePassword',
    question: 'Challenge password (optional)',
    row: 'S2-33',
    secret: true,
    asked: certificate,
  },
  {
    flag: 'encryption',
    path: 'scep.encryption',
    question: 'Encryption algorithm',
    row: 'S2-34',
    choices: ['AES-128', '3DES', 'AES-192', 'AES-256', 'automatic'],
    asked: certificate,
  },
  {
    flag: 'signature',
    path: 'scep.signature',
    question: 'Signature algorithm',
    row: 'S2-36',
    choices: ['SHA-256', 'SHA-1', 'SHA-384', 'SHA-512'],
    asked: certificate,
  },
  {
    flag: 'digest',
    path: 'scep.digest',
    question: 'Digest algorithm (empty: as the signature)',
    row: 'S2-38',
    choices: ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512', 'automatic'],
    asked: certificate,
  },
  {
    flag: 'key',
    path: 'scep.key',
    question: 'Key',
    row: 'S2-41',
    choices: ['rsa-2048', 'rsa-1024', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384'],
    asked: certificate,
  },
  {
    flag: 'ca-certificate',
    path: 'scep.caCertificates',
    question: 'CA certificate: PEM file (optional)',
    row: 'S2-42',
    many: true,
    file: true,
    asked: certificate,
  },
  {
    flag: 'root-fingerprint',
    path: 'scep.rootFingerprint',
    question: 'Root CA fingerprint (optional)',
    row: 'S2-49',
    asked: certificate,
  },
  {
    flag: 'renewal',
    path: 'scep.renewal',
    question: 'Renewal: half-life, manual, days before expiry or n% (empty: half-life)',
    row: 'S2-53',
    read: renewal,
    asked: certificate,
  },
  {
    flag: 'enrollment-network-after',
    path: 'scep.ladder.enrollmentNetworkAfterHours',
    question: 'Hours after which it renews over the enrollment network instead (empty: never)',
    row: 'S2-51',
    read: number,
    asked: certificate,
  },
  {
    flag: 'reenroll-after-expiry',
    path: 'scep.ladder.reenrollAfterExpiry',
    question: 'Once expired, does it enrol again without a person? (yes, no; empty: no)',
    row: 'S2-60',
    read: yes,
    asked: certificate,
  },
  { flag: 'key-transport', path: 'scep.keyTransport' },
  { flag: 'template', path: 'scep.template' },
  { flag: 'renewal-method', path: 'scep.renewalMethod' },
  { flag: 'challenge-on-renewal', path: 'scep.challengeOnRenewal', read: yes },
  { flag: 'poll-every', path: 'scep.polling.every', read: number },
  { flag: 'poll-most', path: 'scep.polling.most', read: number },
  { flag: 'poll-hours', path: 'scep.polling.giveUpAfterHours', read: number },
  { flag: 'enabled', path: 'enabled', read: yes },
]

/** The flags for parseArgs. A secret may come from a file, too: nobody else sees it in the list of processes. */
export const flags: Record<string, { type: 'string'; multiple: boolean }> = Object.fromEntries(
  fields.flatMap(({ flag, many = false, secret }) => [
    [flag, { type: 'string', multiple: many }],
    ...(secret === true ? [[`${flag}-file`, { type: 'string', multiple: false }] as const] : []),
  ]),
)

/** The document with the values of the flags; an empty value takes the field out. */
export async function withFlags(
  document: Document,
  values: Record<string, string | string[] | boolean | undefined>,
): Promise<Document> {
  let result = document
  for (const field of fields) {
    const file = values[`${field.flag}-file`]
    const given = typeof file === 'string' ? (await textOf(file)).replace(/\r?\n$/, '') : values[field.flag]
    if (given !== undefined && typeof given !== 'boolean')
      result = put(result, field, await valueOf(field, [given].flat()))
  }
  return result
}

/** What was given for a field, as the document holds it; undefined: nothing. */
export async function valueOf(field: FieldOf, texts: readonly string[]): Promise<unknown> {
  const given = texts.filter(text => text !== '')
  if (given.length === 0) return undefined
  const contents = field.file === true ? await Promise.all(given.map(textOf)) : given
  const values = contents.map(content => (field.read ?? String)(content, field.flag))
  return field.many === true ? values : values[0]
}

export function put(document: Document, { path }: FieldOf, value: unknown): Document {
  const [key = '', ...rest] = path.split('.')
  const { [key]: before, ...others } = document
  if (rest.length === 0) return value === undefined ? others : { ...others, [key]: value }
  const inner = put((before as Document | undefined) ?? {}, { flag: '', path: rest.join('.') }, value)
  return Object.keys(inner).length === 0 ? others : { ...others, [key]: inner }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, cause, exitCodes.usage)
  }
}
