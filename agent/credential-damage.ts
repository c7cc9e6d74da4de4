/** What a worn card has damaged of a generation, which is then of no use. */
import { basename } from 'node:path'
import { factsOf, isWholePem } from './certificate.ts'
import type { CredentialFiles } from './credential-record.ts'
import { readIfThere } from './durable.ts'
import { wholeKey } from './keys.ts'

/** Names of the files that are gone or cannot be read. */
export async function damagedOf({ key, certificate, chain, anchors }: CredentialFiles): Promise<string[]> {
  const looks: [path: string, isWhole: (text: string) => boolean][] = [
    [key, text => wholeKey(text) !== undefined],
    [certificate, text => factsOf(text) !== undefined],
    [chain, isWholePem],
    [anchors, isWholePem],
  ]
  const found = await Promise.all(
    looks.map(async ([path, isWhole]) => {
      const text = await readIfThere(path)
      return text !== undefined && isWhole(text) ? [] : [basename(path)]
    }),
  )
  return found.flat()
}
