/** Where the power can be cut: what the agent says of itself in a run that nobody cuts (agent/checkpoint.ts). */
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import type { Issued } from '../scep-server.ts'
import type { Sensor } from '../sensor.ts'

/** The nth checkpoint of this name since the agent was started. */
export interface Point {
  name: string
  nth: number
}

/** Every point passed since line `since` of the output; the timeline and the cache of documents, written at any time, have tests of their own. */
export function pointsPassed(sensor: Sensor, since: number): Point[] {
  const names = sensor.process.output.since(since).flatMap(line => /^checkpoint (.*)$/.exec(line)?.[1] ?? [])
  const ours = names.filter(name => !/outbox|events\.jsonl|desired\.json/.test(name))
  // A generation carries the fingerprint of what will be issued, a server is asked over whatever address it has.
  const alike = ours.map(name => name.replace(/(\d{4}-)[0-9a-f]{8}/, '$1'))
  const counts = new Map<string, number>()
  return alike.map(name => {
    const nth = (counts.get(name) ?? 0) + 1
    counts.set(name, nth)
    return { name, nth }
  })
}

const spareFile = (state: string): string => join(state, 'spare-keys', 'rsa-2048', 'key.pem')

/** SHA-256 of the SubjectPublicKeyInfo, hex, as the depot of the SCEP server is read. */
const digestOf = (pem: string | Buffer): string => {
  const spki = createPublicKey(pem).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('hex')
}

/** A spare key, made before the sensor is started. Returns its digest. */
export async function giveSpareKey(state: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  await mkdir(dirname(spareFile(state)), { recursive: true, mode: 0o700 })
  await writeFile(spareFile(state), pem, { mode: 0o600 })
  return digestOf(pem)
}

/** What lies ready for the next request was never in one. */
export async function spareIsUnused(t: Test, sensor: Sensor, issued: readonly Issued[]): Promise<void> {
  const pem = await readFile(spareFile(sensor.state), 'utf8').catch(() => undefined)
  const used = pem !== undefined && issued.some(({ publicKey }) => publicKey === digestOf(pem))
  t.notOk(used, 'the spare key that lies ready was never in a request')
}
