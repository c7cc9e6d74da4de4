/**
 * The key of an open enrolment while it is being made, which may take seconds: meanwhile the profile may ask for another kind, the
 * assignment may change, and the network be forgotten.
 */
import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { readIfThere, removeDurable } from './durable.ts'
import { openKey, wholeKey, type KeyKind, type KeyWish } from './keys.ts'

interface Making {
  kind: KeyKind
  assignment: string | undefined
  key: Promise<KeyObject>
}

const nothing = (): void => undefined

export class KeyUnderWay {
  #present: Making | undefined

  /**
   * The key in `folder` once that is `prepared`, on disk when this resolves. Shared by all who want the same; of another kind or for
   * another assignment it is made anew, when the one before can write nothing any more.
   */
  make(
    folder: string,
    wish: KeyWish,
    assignment: string | undefined,
    prepared: Promise<void>,
  ): Promise<KeyObject> {
    const { kind } = wish
    if (this.#present?.kind === kind && this.#present.assignment === assignment) return this.#present.key
    const before = this.settled()
    const ready = async (): Promise<void> => {
      await Promise.all([before, prepared])
      await dropOther(folder, kind)
    }
    const key = openKey(folder, wish, ready).finally(() => {
      if (this.#present?.key === key) this.#present = undefined
    })
    this.#present = { kind, assignment, key }
    return key
  }

  /** When the key that is being made now is on disk, or was given up: until then its folder is not to be taken away. */
  async settled(): Promise<void> {
    await this.#present?.key.then(nothing, nothing)
  }
}

/** The key of a request that never left is kept for the next one, unless that asks for another kind. */
async function dropOther(folder: string, kind: KeyKind): Promise<void> {
  const there = wholeKey(await readIfThere(join(folder, 'key.pem')))
  if (there && kindOf(there) !== kind) await removeDurable(folder)
}

const curves: Partial<Record<string, string>> = { prime256v1: 'p256', secp384r1: 'p384' }

function kindOf({ asymmetricKeyType: family, asymmetricKeyDetails = {} }: KeyObject): string {
  const { modulusLength, namedCurve = '' } = asymmetricKeyDetails
  return `${String(family)}-${String(modulusLength ?? curves[namedCurve])}`
}
