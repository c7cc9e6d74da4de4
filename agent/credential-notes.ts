/**
 * The small files beside the generations of one credential; they outlive the certificates. One that a worn card has damaged counts
 * as not there: the CA is then trusted as at first, and asked for the next one again.
 */
import { join } from 'node:path'
import { isWholePem } from './certificate.ts'
import { isMissing, privateFolder, readIfThere, writeDurable } from './durable.ts'

export class CredentialNotes {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  /** `ca-pin`: the CA's fingerprint as trusted on first use, so that a change is an alarm. */
  async pin(): Promise<string | undefined> {
    const pin = await readIfThere(join(this.#root, 'ca-pin'))
    return pin !== undefined && /^[0-9a-f]{64}$/i.test(pin) ? pin : undefined
  }

  async savePin(pin: string): Promise<void> {
    await privateFolder(this.#root)
    await writeDurable(join(this.#root, 'ca-pin'), pin)
  }

  /** `next-ca.pem`: the CA that takes over, vouched for by the present one. PEM; '' for none. */
  async nextAuthorities(): Promise<string> {
    const pem = (await readIfThere(join(this.#root, 'next-ca.pem'))) ?? ''
    return isWholePem(pem) ? pem : ''
  }

  async saveNextAuthorities(pem: string): Promise<void> {
    await writeDurable(join(this.#root, 'next-ca.pem'), pem)
  }

  /** `told.json`: names of what was said of the credential for certain (credential-news.ts). Damaged, it costs a repetition. */
  async told(): Promise<string[]> {
    try {
      const names: unknown = JSON.parse((await readIfThere(join(this.#root, 'told.json'))) ?? '[]')
      return Array.isArray(names) ? names.filter(name => typeof name === 'string') : []
    } catch {
      return []
    }
  }

  /** Only the last few matter: what the links point to now. Of a network that is forgotten meanwhile nothing is kept. */
  async addTold(names: readonly string[]): Promise<void> {
    const all = [...(await this.told()), ...names].slice(-8)
    try {
      await writeDurable(join(this.#root, 'told.json'), JSON.stringify(all))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
}
