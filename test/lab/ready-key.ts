/**
 * The key that a sensor has ready for its next certificate, as one that had idle time has made it. To make one is the most that an agent asks
 * of the processor, 0.2 s and more of each of them, and most laboratories are not about that.
 */
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkout } from './pki.ts'

export const readyKeyFile = (state: string): string => join(state, 'spare-keys', 'rsa-2048', 'key.pem')

/** SHA-256 of the SubjectPublicKeyInfo, hex, as the depot of the SCEP server is read. */
export const digestOf = (pem: string | Buffer): string => {
  const spki = createPublicKey(pem).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('hex')
}

/** A key that nobody else has, or the one given. Returns its digest. */
export async function giveReadyKey(state: string, pem = newKey()): Promise<string> {
  await mkdir(dirname(readyKeyFile(state)), { recursive: true, mode: 0o700 })
  await writeFile(readyKeyFile(state), pem, { mode: 0o600 })
  return digestOf(pem)
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}

/** test/fixtures/sensor-keys holds as many. */
const kept = 12
const given = new WeakMap<object, number>()

/** Another kept key for each sensor of a laboratory; undefined when all are given, and then the sensor makes its own. */
export async function keptKey(lab: object): Promise<string | undefined> {
  const number = (given.get(lab) ?? 0) + 1
  given.set(lab, number)
  if (number > kept) return undefined
  const name = `rsa-2048-${String(number).padStart(2, '0')}.pem`
  return readFile(join(checkout(), 'test', 'fixtures', 'sensor-keys', name), 'utf8')
}
