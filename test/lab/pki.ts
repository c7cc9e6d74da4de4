import { existsSync } from 'node:fs'
import { appendFile, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './command.ts'

/** The checkout's root, found upwards from this file or from its bundle. */
export function checkout(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) return process.cwd()
  }
}

/** Raise when what is made here changes: older caches are then ignored. */
const version = 2
const cache = join(checkout(), 'node_modules', '.cache', 'sonde-lab', `pki-${version}`)

/** Files of certificates and keys, made once per checkout: RSA keys cost seconds, and a lab shall not. */
export type Pki = {
  /** Root that signed the RADIUS server's certificate. */
  root: string
  /** A root that signed nothing in this lab. */
  otherRoot: string
  /** RADIUS server certificates for radius.example.org, each with its key and its root in one PEM file. */
  server: string
  serverExpired: string
  serverOfOtherRoot: string
  /** Client certificate and key that `root` signed for CN=sensor1: an EAP-TLS identity without SCEP. */
  client: { certificate: string; key: string }
  /** A fresh depot of Debian's scepserver: ca.pem, ca.key. */
  depot: string
}

async function authority(folder: string, name: string, subject: string): Promise<void> {
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`],
    ...['-subj', subject, '-days', '3650', '-sha256', '-addext', 'basicConstraints=critical,CA:TRUE'],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  ], { cwd: folder }) // prettier-ignore
}

type Leaf = {
  name: string
  subject: string
  issuer: string
  extensions: readonly string[]
  start?: string
  end?: string
}

const common = ['basicConstraints=CA:FALSE', 'keyUsage=digitalSignature,keyEncipherment']
const forServer = [...common, 'extendedKeyUsage=serverAuth', 'subjectAltName=DNS:radius.example.org']
const forClient = [...common, 'extendedKeyUsage=clientAuth', 'subjectAltName=DNS:sensor1.example.org']

/** Issues by `openssl ca`, the only openssl 3.0 command that takes both dates. */
async function issue(folder: string, leaf: Leaf): Promise<void> {
  const { name, subject, issuer, extensions, start = '20250101000000Z', end = '20451231000000Z' } = leaf
  const database = join(folder, `database-${name}`)
  await mkdir(database)
  await writeFile(join(database, 'index.txt'), '')
  await writeFile(
    join(database, 'ca.cnf'),
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${database}/index.txt\nrand_serial=yes\nnew_certs_dir=${database}
default_md=sha256\npolicy=p\nx509_extensions=x\nunique_subject=no
[p]\norganizationName=optional\ncommonName=supplied\n[x]\n${extensions.join('\n')}\n`,
  )
  const cwd = folder
  await run('openssl', [
    ...['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`],
    ...['-subj', subject],
  ], { cwd }) // prettier-ignore
  await run('openssl', [
    ...['ca', '-batch', '-notext', '-config', `${database}/ca.cnf`, '-in', `${name}.csr`, '-out', `${name}.pem`],
    ...['-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`, '-startdate', start, '-enddate', end],
  ], { cwd }) // prettier-ignore
}

async function make(folder: string): Promise<void> {
  const server = { subject: '/O=Lab/CN=radius.example.org', extensions: forServer }
  await Promise.all([
    authority(folder, 'root', '/O=Lab/CN=Lab RADIUS Root CA'),
    authority(folder, 'other-root', '/O=Elsewhere/CN=Another Root CA'),
    run('scepserver', ['ca', '-init', '-depot', join(folder, 'depot'), '-keySize', '2048', '-organization', 'Lab']),
  ]) // prettier-ignore
  await Promise.all([
    issue(folder, { ...server, name: 'server', issuer: 'root' }),
    issue(folder, { ...server, name: 'server-expired', issuer: 'root', end: '20251231000000Z' }),
    issue(folder, { ...server, name: 'server-of-other-root', issuer: 'other-root' }),
    issue(folder, {
      ...{ name: 'client', subject: '/O=Lab/CN=sensor1', issuer: 'root', extensions: forClient },
    }),
  ])
  // One file for FreeRADIUS: certificate, key, and the root it sends along.
  const issuers = { server: 'root', 'server-expired': 'root', 'server-of-other-root': 'other-root' }
  for (const [name, issuer] of Object.entries(issuers))
    for (const part of [`${name}.key`, `${issuer}.pem`])
      await appendFile(join(folder, `${name}.pem`), await readFile(join(folder, part)))
}

/** Processes that start at the same time each make their own, and one is kept. */
async function makeCache(): Promise<void> {
  await mkdir(dirname(cache), { recursive: true })
  const draft = await mkdtemp(`${cache}-`)
  try {
    await make(draft)
    await rename(draft, cache)
  } catch (error) {
    if (!existsSync(cache)) throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

let making: Promise<void> | undefined

/** The cached files; made first where there are none. */
export async function pki(): Promise<Pki> {
  if (!existsSync(cache)) await (making ??= makeCache())
  const file = (name: string) => join(cache, name)
  return {
    root: file('root.pem'),
    otherRoot: file('other-root.pem'),
    server: file('server.pem'),
    serverExpired: file('server-expired.pem'),
    serverOfOtherRoot: file('server-of-other-root.pem'),
    client: { certificate: file('client.pem'), key: file('client.key') },
    depot: file('depot'),
  }
}

/** Copies the untouched depot, so that every lab counts only its own certificates. */
export async function freshDepot(folder: string): Promise<string> {
  const depot = join(folder, 'depot')
  await cp((await pki()).depot, depot, { recursive: true })
  return depot
}
