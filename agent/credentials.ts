/**
 * Credentials on disk: `credentials/dot1x/<network>/`
 *   state.json      the assignment it is made for, and whether a person removed it
 *   open/           an enrolment under way: key.pem, then request.json (CSR, transactionID, signer) before the request leaves,
 *                   then certificate.pem, chain.pem, about.json when the reply is there
 *   <generation>/   the same folder once complete, renamed; never changed again
 *   current         link to the generation in force
 * Whatever is half done after a power cut is finished or dropped by `recover`.
 */
import type { KeyObject } from 'node:crypto'
import { readdir, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { certificateFacts } from './certificate.ts'
import { linkDurable, privateFolder, readIfThere, removeDurable, renameDurable } from './durable.ts'
import { isMissing, syncFolder, writeDurable, writeSynced } from './durable.ts'
import { generateKey, keyPem, readKey, type KeyKind, type SpareKeys } from './keys.ts'
import type { CredentialState } from './types.ts'

/** A request as it was before it left; `enrolment` is the SCEP client's own record. */
export interface OpenRequest<E = unknown> {
  transactionId: string
  preparedAt: number
  pending: boolean
  /** What of the profile went into it: another value means another request. */
  basis: string
  enrolment: E
}

export interface IssuedCertificate {
  /** PEM */
  certificate: string
  /** PEM, issuer first. */
  chain: string[]
  /** Certificates to trust for EAP where the profile names none (S2-47), PEM. */
  anchors: string[]
}

export interface CredentialFiles {
  key: string
  certificate: string
  chain: string
  anchors: string
}

/** What becomes of a key that is not on disk yet; `ms` since it was begun. */
export type KeyNews = { state: 'started' } | { state: 'ready'; origin: 'spare' | 'generated'; ms: number }

interface StateFile {
  assignment: string
  removed?: { at: number }
}

export class Credentials {
  readonly #root: string
  readonly #spare: SpareKeys | undefined
  readonly #keys = new Map<string, Promise<KeyObject>>()
  /** The key is made ahead while the network is joined: both begin, one after the other. */
  readonly #beginning = new Map<string, Promise<void>>()

  constructor(root: string, spare: SpareKeys | undefined) {
    this.#root = join(root, 'dot1x')
    this.#spare = spare
  }

  /** The state of every network that has a folder. */
  async readAll(): Promise<Record<string, CredentialState>> {
    await privateFolder(this.#root)
    const networks = await readdir(this.#root)
    const states = networks.map(async (id): Promise<[string, CredentialState]> => [id, await this.read(id)])
    return Object.fromEntries(await Promise.all(states))
  }

  async read(network: string): Promise<CredentialState> {
    const state = await this.#state(network)
    const generation = await this.#current(network)
    const request = await this.request(network)
    return {
      assignment: state?.assignment ?? '',
      ...(generation !== undefined && {
        current: { generation, certificate: await this.#certificate(network, generation) },
      }),
      ...(request && {
        open: {
          transactionId: request.transactionId,
          preparedAt: request.preparedAt,
          pending: request.pending,
        },
      }),
      ...(state?.removed && { removed: state.removed }),
    }
  }

  /** Starts afresh where the assignment changed: what was made for another one goes (S2-69). */
  begin(network: string, assignment: string): Promise<void> {
    const begun = (this.#beginning.get(network) ?? Promise.resolve()).then(() =>
      this.#begin(network, assignment),
    )
    this.#beginning.set(
      network,
      begun.catch(() => undefined),
    )
    return begun
  }

  async #begin(network: string, assignment: string): Promise<void> {
    if ((await this.#state(network))?.assignment === assignment) return
    await this.#clear(network)
    await privateFolder(this.#path(network))
    await this.#writeState(network, { assignment })
  }

  /**
   * The key of the open enrolment, from disk, from the spare keys, or generated now. On disk when this resolves.
   * Calls for one network while a key is being made share it.
   */
  key(network: string, kind: KeyKind, now: number, told: (news: KeyNews) => void): Promise<KeyObject> {
    const running = this.#keys.get(network)
    if (running) return running
    const made = this.#makeKey(network, kind, now, told).finally(() => this.#keys.delete(network))
    this.#keys.set(network, made)
    return made
  }

  async #makeKey(
    network: string,
    kind: KeyKind,
    now: number,
    told: (news: KeyNews) => void,
  ): Promise<KeyObject> {
    const folder = this.#path(network, 'open')
    const path = join(folder, 'key.pem')
    const there = await readIfThere(path)
    if (there !== undefined) return readKey(there)
    const began = performance.now()
    told({ state: 'started' })
    await privateFolder(folder)
    const spare = await this.#spare?.take(kind, path, now)
    const key = spare ? readKey((await readIfThere(path)) ?? '') : await generateKey(kind)
    if (!spare) await writeDurable(path, keyPem(key))
    const ms = Math.round(performance.now() - began)
    told({ state: 'ready', origin: spare ? 'spare' : 'generated', ms })
    return key
  }

  async request<E>(network: string): Promise<OpenRequest<E> | undefined> {
    const text = await readIfThere(this.#path(network, 'open', 'request.json'))
    return text === undefined ? undefined : (JSON.parse(text) as OpenRequest<E>)
  }

  /** On disk before the request leaves (RFC 8894 section 3.3.3: a lost reply is polled for by the same transactionID). */
  async saveRequest(network: string, request: OpenRequest): Promise<void> {
    await writeDurable(this.#path(network, 'open', 'request.json'), JSON.stringify(request))
  }

  /** The server has answered for good: the request is over. `withKey` when the key must not be used again either. */
  async dropRequest(network: string, withKey: boolean): Promise<void> {
    await removeDurable(this.#path(network, ...(withKey ? ['open'] : ['open', 'request.json'])))
  }

  /** Stores the reply and puts the new generation in force. Returns its name. */
  async complete(network: string, issued: IssuedCertificate): Promise<string> {
    const open = this.#path(network, 'open')
    await Promise.all([
      writeSynced(join(open, 'certificate.pem'), issued.certificate),
      writeSynced(join(open, 'chain.pem'), issued.chain.join('')),
      writeSynced(join(open, 'anchors.pem'), issued.anchors.join('')),
    ])
    await writeDurable(join(open, 'about.json'), JSON.stringify(certificateFacts(issued.certificate)))
    return this.#putInForce(network)
  }

  /** Finishes what a power cut interrupted. Call once at start, before the first `readAll`. */
  async recover(): Promise<void> {
    await privateFolder(this.#root)
    for (const network of await readdir(this.#root)) {
      const about = await readIfThere(this.#path(network, 'open', 'about.json'))
      if ((await this.#state(network))?.removed) await this.#clear(network)
      else if (about !== undefined) await this.#putInForce(network)
      else if ((await this.#current(network)) === undefined) await this.#linkNewest(network)
    }
  }

  /** A person's removal: the certificate goes at once and the fact stays (S1-15). */
  async remove(network: string, at: number): Promise<void> {
    const assignment = (await this.#state(network))?.assignment ?? ''
    await this.#writeState(network, { assignment, removed: { at } })
    await this.#clear(network)
  }

  /** A person asked for a certificate again: the removal no longer holds. */
  async restore(network: string): Promise<void> {
    const assignment = (await this.#state(network))?.assignment ?? ''
    await this.#writeState(network, { assignment })
  }

  /** Nothing of the network is left. */
  async forget(network: string): Promise<void> {
    await removeDurable(this.#path(network))
  }

  /** The CA's fingerprint as trusted on first use; outlives the certificates, so that a change is an alarm. */
  async pin(network: string): Promise<string | undefined> {
    return readIfThere(this.#path(network, 'ca-pin'))
  }

  async savePin(network: string, pin: string): Promise<void> {
    await privateFolder(this.#path(network))
    await writeDurable(this.#path(network, 'ca-pin'), pin)
  }

  files(network: string, generation: string): CredentialFiles {
    const at = (name: string): string => this.#path(network, generation, name)
    return {
      key: at('key.pem'),
      certificate: at('certificate.pem'),
      chain: at('chain.pem'),
      anchors: at('anchors.pem'),
    }
  }

  async #putInForce(network: string): Promise<string> {
    const about = await readIfThere(this.#path(network, 'open', 'about.json'))
    const { fingerprint } = JSON.parse(about ?? '{}') as { fingerprint: string }
    const generation = await this.#nextGeneration(network, fingerprint)
    await rm(this.#path(network, 'open', 'request.json'), { force: true })
    await syncFolder(this.#path(network, 'open'))
    await renameDurable(this.#path(network, 'open'), this.#path(network, generation))
    await linkDurable(generation, this.#path(network, 'current'))
    return generation
  }

  async #nextGeneration(network: string, fingerprint: string): Promise<string> {
    const last = (await this.#generations(network)).at(-1)?.slice(0, 4) ?? '0'
    return `${String(Number(last) + 1).padStart(4, '0')}-${fingerprint.slice(0, 8)}`
  }

  async #generations(network: string): Promise<string[]> {
    const names = await readdir(this.#path(network))
    return names.filter(name => /^\d{4}-[0-9a-f]{8}$/.test(name)).sort()
  }

  async #linkNewest(network: string): Promise<void> {
    const newest = (await this.#generations(network)).at(-1)
    if (newest !== undefined) await linkDurable(newest, this.#path(network, 'current'))
  }

  async #certificate(network: string, generation: string): Promise<ReturnType<typeof certificateFacts>> {
    return certificateFacts((await readIfThere(this.files(network, generation).certificate)) ?? '')
  }

  async #current(network: string): Promise<string | undefined> {
    try {
      return await readlink(this.#path(network, 'current'))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** The link goes first: a reader never finds a link to nothing. */
  async #clear(network: string): Promise<void> {
    const folder = this.#path(network)
    await rm(join(folder, 'current'), { force: true })
    await rm(join(folder, 'open'), { recursive: true, force: true })
    const generations = await this.#generations(network).catch((error: unknown) => {
      if (isMissing(error)) return []
      throw error
    })
    for (const generation of generations) await removeDurable(join(folder, generation))
  }

  async #state(network: string): Promise<StateFile | undefined> {
    const text = await readIfThere(this.#path(network, 'state.json'))
    return text === undefined ? undefined : (JSON.parse(text) as StateFile)
  }

  async #writeState(network: string, state: StateFile): Promise<void> {
    await writeDurable(this.#path(network, 'state.json'), JSON.stringify(state))
  }

  #path(network: string, ...rest: string[]): string {
    return join(this.#root, network, ...rest)
  }
}
