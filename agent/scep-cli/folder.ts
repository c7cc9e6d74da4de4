/** The files of one certificate: key.pem, certificate.pem, chain.pem, and request.json while the request is open. */
import { createPrivateKey, generateKeyPair as generateKeyPairWithCallback, type KeyObject } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Enrolment, Issued, RequestSettings, ScepServer, TrustSettings } from '../scep/index.ts'
import { readText, UsageError } from './options.ts'

const generateKeyPair = promisify(generateKeyPairWithCallback)

/** What a later `poll` needs; it holds the challenge password, so it is readable by its owner only. */
export interface OpenRequest {
  server: ScepServer
  trust: TrustSettings
  settings: RequestSettings
  enrolment: Enrolment
  /** PEM of the key that signed and opens. */
  signerKey: string
  /** Milliseconds since 1970. */
  sent: number
  polls: number
}

const kinds: Record<string, () => Promise<{ privateKey: KeyObject }>> = {
  'rsa-1024': () => generateKeyPair('rsa', { modulusLength: 1024 }),
  'rsa-2048': () => generateKeyPair('rsa', { modulusLength: 2048 }),
  'rsa-3072': () => generateKeyPair('rsa', { modulusLength: 3072 }),
  'rsa-4096': () => generateKeyPair('rsa', { modulusLength: 4096 }),
  'ec-p256': () => generateKeyPair('ec', { namedCurve: 'P-256' }),
  'ec-p384': () => generateKeyPair('ec', { namedCurve: 'P-384' }),
}

/** A new key of a kind, or the one in a PEM file. */
export async function keyFor(kind: string): Promise<KeyObject> {
  const make = kinds[kind]
  return make ? (await make()).privateKey : privateKeyFrom(await readText(kind), kind)
}

export function privateKeyFrom(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new UsageError(
      `${file} holds no private key in PEM without passphrase, and is none of ${Object.keys(kinds).join(', ')}`,
    )
  }
}

export const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString()

/** After a power cut the reader finds the old content or the new, never half of either. */
async function write(folder: string, name: string, content: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const draft = join(folder, `.${name}.new`)
    await using file = await open(draft, 'w', 0o600)
    await file.writeFile(content)
    await file.sync()
    await rename(draft, join(folder, name))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UsageError(`${join(folder, name)} cannot be written: ${reason}`)
  }
}

/** Before the message leaves: key and request. */
export async function saveOpen(folder: string, key: KeyObject, request: OpenRequest): Promise<void> {
  await write(folder, 'key.new.pem', pemOf(key))
  await write(folder, 'request.json', `${JSON.stringify(request, undefined, 2)}\n`)
}

export const saveRequest = (folder: string, request: OpenRequest): Promise<void> =>
  write(folder, 'request.json', `${JSON.stringify(request, undefined, 2)}\n`)

export async function readOpen(folder: string): Promise<OpenRequest> {
  const text = await readText(join(folder, 'request.json'))
  try {
    const request = JSON.parse(text) as Partial<OpenRequest> | null
    if (request?.server && request.trust && request.settings && request.enrolment && request.signerKey)
      return request as OpenRequest
  } catch {
    // Said below: whatever it is, it is no request.
  }
  throw new UsageError(`${join(folder, 'request.json')} is no request that enroll or renew has written`)
}

/** Once issued: the certificate beside its key; what was there before is replaced only now. */
export async function saveIssued(folder: string, issued: Issued): Promise<void> {
  await write(folder, 'certificate.pem', issued.certificate)
  await write(folder, 'chain.pem', issued.chain.join(''))
  await rename(join(folder, 'key.new.pem'), join(folder, 'key.pem'))
  await rm(join(folder, 'request.json'), { force: true })
}

export const readCertificate = (folder: string): Promise<string> => readText(join(folder, 'certificate.pem'))

export async function readKey(folder: string): Promise<KeyObject> {
  const file = join(folder, 'key.pem')
  return privateKeyFrom(await readText(file), file)
}
