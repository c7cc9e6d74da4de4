/** The files of one certificate: key.pem, certificate.pem, chain.pem, ca-pin, and request.json while the request is open. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import {
  checkKey,
  generateKey,
  keyKinds,
  type Enrolment,
  type Issued,
  type RequestSettings,
  type ScepServer,
  type TrustSettings,
} from '../scep/index.ts'
import { readText, UsageError } from './options.ts'

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

export interface KeySource {
  /** `rsa-` and the bits, or `ec-` and the curve. */
  kind: string
  make: () => Promise<KeyObject>
}

/** Where the key comes from: a kind to be made, or a PEM file, which is read at once. Throws UsageError for what is neither, and `key-unsupported`. */
export async function keySource(kind: string): Promise<KeySource> {
  const known = keyKinds.find(name => name === kind)
  // A command waits for nothing else meanwhile.
  if (known) return { kind, make: () => generateKey(known, availableParallelism()) }
  const pem = await readText(kind).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UsageError(`--key is one of ${keyKinds.join(', ')}, or a PEM file: ${reason}`)
  })
  const key = privateKeyFrom(pem, kind)
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  return {
    kind: `${checkKey(key)}-${String(modulusLength ?? namedCurve)}`,
    make: () => Promise.resolve(key),
  }
}

export function privateKeyFrom(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new UsageError(
      `${file} holds no private key in PEM without passphrase, and is none of ${keyKinds.join(', ')}`,
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

/** Refuses to write over a request whose outcome nobody has asked for, unless that is what is wanted. */
export async function refuseOverwriting(folder: string, afresh: boolean): Promise<void> {
  const file = join(folder, 'request.json')
  const there = await stat(file).catch(() => undefined)
  if (!there || afresh) return
  throw new UsageError(
    `${file} is a request of ${there.mtime.toISOString()} whose outcome is not known, and may hold a certificate.\n` +
      `Ask for it with: sonde scep poll --from ${folder}\nor give it up with --afresh`,
  )
}

/**
 * Refuses to put a new certificate and key in the place of others, which may be anybody's: the folder is the current one by default.
 * The key that is `given` may stand there.
 */
export async function refuseReplacing(folder: string, afresh: boolean, given?: string): Promise<void> {
  for (const file of ['key.pem', 'certificate.pem'].map(name => join(folder, name)))
    if (!afresh && resolve(file) !== resolve(given ?? '') && (await stat(file).catch(() => undefined)))
      throw new UsageError(
        `${file} is there already.\nRenew it with: sonde scep renew URL --from ${folder}\nor give another --out, or write over it with --afresh`,
      )
}

/** The transaction has ended without a certificate. */
export async function dropOpen(folder: string): Promise<void> {
  await Promise.all(['request.json', 'key.new.pem'].map(name => rm(join(folder, name), { force: true })))
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

/** Once issued: the certificate beside its key, and the CA that was trusted on first use; what was there before is replaced only now. */
export async function saveIssued(folder: string, issued: Issued, pin: string | null): Promise<void> {
  await write(folder, 'certificate.pem', issued.certificate)
  await write(folder, 'chain.pem', issued.chain.join(''))
  if (pin === null) await rm(join(folder, 'ca-pin'), { force: true })
  else await write(folder, 'ca-pin', `${pin}\n`)
  await rename(join(folder, 'key.new.pem'), join(folder, 'key.pem'))
  await rm(join(folder, 'request.json'), { force: true })
}

/** SHA-256 of the CA that was trusted on first use when the certificate in the folder was issued. */
export async function readPin(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'ca-pin'), 'utf8').catch(() => undefined)
  return text?.trim()
}

/** The CA certificates above the one in the folder, as PEM texts: none where the file is not there. */
export async function readChain(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'chain.pem'), 'utf8').catch(() => '')
  return text === '' ? [] : [text]
}

/** The certificate in the folder (PEM) and its key. Throws UsageError when they are none or do not belong together. */
export async function readPair(folder: string): Promise<{ certificate: X509Certificate; key: KeyObject }> {
  const [certificateFile, keyFile] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  const [pem, keyPem] = await Promise.all([readText(certificateFile), readText(keyFile)])
  const certificate = certificateFrom(pem, certificateFile)
  const key = privateKeyFrom(keyPem, keyFile)
  if (!certificate.checkPrivateKey(key))
    throw new UsageError(`${keyFile} is not the key of ${certificateFile}`)
  return { certificate, key }
}

function certificateFrom(pem: string, file: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new UsageError(`${file} holds no certificate in PEM`)
  }
}
