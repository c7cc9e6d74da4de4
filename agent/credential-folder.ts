/**
 * The credential of one network on disk: `credentials/dot1x/<network>/`
 *   state.json      the assignment it is made for, and whether a person removed it
 *   ca-pin, next-ca.pem, told.json   what is kept beside it: credential-notes.ts
 *   open/           an enrolment under way: key.pem, then request.json (CSR, transactionID, signer) before the request leaves,
 *                   then certificate.pem, chain.pem, anchors.pem and at last about.json when the reply is there
 *   <generation>/   the same folder once complete, renamed; never changed again
 *   current         link to the generation in force
 *   candidate       link to its replacement until a login has proved it
 * Whatever a power cut leaves half done is finished or dropped by `recover`. What a worn card has damaged counts as not there, so that
 * the sensor helps itself to a new certificate instead of not starting.
 */
import type { KeyObject } from 'node:crypto'
import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { digest12 } from './core/hash.ts'
import { CredentialNotes } from './credential-notes.ts'
import { certificateFacts, factsOf } from './certificate.ts'
import { damagedOf } from './credential-damage.ts'
import {
  type About,
  type CredentialFiles,
  type Generation,
  type IssuedCertificate,
  type KeyNews,
  type OpenRequest,
  type Role,
  plain,
} from './credential-record.ts'
import { isMissing, linkDurable, privateFolder, readIfThere, readJson } from './durable.ts'
import { removeAll, removeDurable, renameDurable, writeDurable, writeSynced } from './durable.ts'
import { KeyUnderWay } from './key-under-way.ts'
import type { KeyKind, SpareKeys } from './keys.ts'
import type { CredentialState } from './types.ts'

interface StateFile {
  assignment: string
  removed?: { at: number }
}

const isNoLink = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EINVAL'

const isAbout = (about: Partial<About> | undefined): about is About =>
  (about?.role === 'current' || about?.role === 'candidate') && typeof about.fingerprint === 'string'

const isGeneration = (name: string): boolean => /^\d{4,}-[0-9a-f]{8}$/.test(name)

/** Generations out of use that are kept for diagnosis. */
const keptGenerations = 3

export class CredentialFolder {
  readonly notes: CredentialNotes
  readonly #root: string
  /** The key is made ahead while the network is joined: both begin, one after the other. */
  #beginning: Promise<void> = Promise.resolve()
  #assignment: string | undefined
  readonly #key = new KeyUnderWay()
  /** What was read of generations, which never change. */
  readonly #read = new Map<string, Generation>()

  constructor(root: string) {
    this.#root = root
    this.notes = new CredentialNotes(root)
  }

  async read(): Promise<CredentialState> {
    const [state, current, candidate, request, next] = await Promise.all([
      this.#state(),
      this.#generation('current'),
      this.#generation('candidate'),
      this.request(),
      this.notes.nextAuthorities(),
    ])
    const { transactionId, preparedAt, pending } = request ?? {}
    return {
      assignment: state?.assignment ?? '',
      ...(current && { current: plain(current), authorities: current.authorities }),
      ...(!current && (await this.#damage())),
      ...(candidate && { candidate: plain(candidate) }),
      ...(transactionId !== undefined &&
        preparedAt !== undefined && { open: { transactionId, preparedAt, pending: pending === true } }),
      ...(next !== '' && { next: digest12(next) }),
      ...(state?.removed && { removed: state.removed }),
    }
  }

  /** Starts afresh where the assignment changed: what was made for another one goes (S2-69). */
  begin(assignment: string): Promise<void> {
    const before = this.#key.settled()
    const begun = this.#beginning.then(() => this.#begin(assignment, before))
    this.#beginning = begun.catch(() => undefined)
    this.#assignment = assignment
    return begun
  }

  async #begin(assignment: string, before: Promise<void>): Promise<void> {
    if ((await this.#state())?.assignment === assignment) return
    await this.forget(before)
    await privateFolder(this.#root)
    await this.#writeState({ assignment })
  }

  async isRemoved(): Promise<boolean> {
    return (await this.#state())?.removed !== undefined
  }

  /** The key of the open enrolment, from disk, from the spare keys, or generated now. On disk when this resolves. */
  key(kind: KeyKind, spare: SpareKeys | undefined, told: (news: KeyNews) => void): Promise<KeyObject> {
    return this.#key.make(this.#path('open'), { kind, spare, told }, this.#assignment, this.#beginning)
  }

  async request<E>(): Promise<OpenRequest<E> | undefined> {
    return readJson<OpenRequest<E>>(this.#path('open', 'request.json'))
  }

  /** On disk before the request leaves (RFC 8894 section 3.3.3: a lost reply is polled for by the same transactionID). */
  async saveRequest(request: OpenRequest): Promise<void> {
    await writeDurable(this.#path('open', 'request.json'), JSON.stringify(request))
  }

  /** The request never left: its key may go into another one. */
  async withdrawRequest(): Promise<void> {
    await removeDurable(this.#path('open', 'request.json'))
  }

  /** The server has answered for good: request and key are over, since a key belongs to one transaction. */
  async dropRequest(): Promise<void> {
    await removeDurable(this.#path('open'))
  }

  /** Stores the reply as a generation. Must leave the generation in force intact when it is a candidate. Returns its name. */
  async complete({ authorities = [], ...issued }: IssuedCertificate, role: Role): Promise<string> {
    const certificate = certificateFacts(issued.certificate)
    const about: About = { role, ...certificate, authorities }
    const draft = this.#path('open', 'about.json.new')
    await Promise.all([
      writeSynced(this.#path('open', 'certificate.pem'), issued.certificate),
      writeSynced(this.#path('open', 'chain.pem'), issued.chain.join('')),
      writeSynced(this.#path('open', 'anchors.pem'), issued.anchors.join('')),
      writeSynced(draft, JSON.stringify(about)),
    ])
    // It counts from here on: everything it speaks of is on disk.
    await renameDurable(draft, this.#path('open', 'about.json'))
    const generation = await this.#close(about)
    this.#read.set(generation, { generation, certificate, authorities, role })
    return generation
  }

  /** The login with the candidate succeeded: it is in force, in one step for any reader. */
  async promote(generation: string): Promise<void> {
    await linkDurable(generation, this.#path('current'))
    await this.dropCandidate()
    await this.#prune()
  }

  /** The candidate is given up; its folder stays for diagnosis until it is pruned. */
  async dropCandidate(): Promise<void> {
    await removeDurable(this.#path('candidate'))
  }

  /** A person's removal: the certificate goes at once and the fact stays (S1-15). */
  async remove(at: number): Promise<void> {
    await this.#writeState({ assignment: (await this.#state())?.assignment ?? '', removed: { at } })
    await this.#clear()
  }

  /** A person asked for a certificate again: the removal no longer holds. */
  async restore(): Promise<void> {
    await this.#writeState({ assignment: (await this.#state())?.assignment ?? '' })
  }

  /** Certificates, keys and requests go; the folder stays, so that what happened is not forgotten before it is said. */
  async empty(): Promise<void> {
    await this.#key.settled()
    await this.#clear()
  }

  /** Nothing of the network is left. */
  async forget(before = this.#key.settled()): Promise<void> {
    await before
    this.#read.clear()
    await removeDurable(this.#root)
  }

  /** Finishes what a power cut interrupted. */
  async recover(): Promise<void> {
    if ((await this.#state())?.removed) return this.#clear()
    const about = await readJson<Partial<About>>(this.#path('open', 'about.json'))
    if (isAbout(about)) await this.#close(about)
    const [current, candidate] = await Promise.all([this.#linked('current'), this.#linked('candidate')])
    if (candidate !== undefined && candidate === current) await this.dropCandidate()
  }

  files(generation: string): CredentialFiles {
    const at = (name: string): string => this.#path(generation, name)
    return {
      key: at('key.pem'),
      certificate: at('certificate.pem'),
      chain: at('chain.pem'),
      anchors: at('anchors.pem'),
    }
  }

  /**
   * From the open folder to a generation. The link is set first and the folder renamed after it: a power cut between the two
   * leaves a link to nothing, which counts as none, and the complete open folder, which `recover` closes again.
   */
  async #close({ role, fingerprint }: About): Promise<string> {
    const generation = await this.#nextGeneration(fingerprint)
    await removeDurable(this.#path('open', 'request.json'))
    await linkDurable(generation, this.#path(role))
    await renameDurable(this.#path('open'), this.#path(generation))
    // A certificate that was asked for afresh replaces whatever waited for its proof.
    if (role === 'current' && (await this.#linked('candidate')) !== undefined) await this.dropCandidate()
    await this.#prune()
    return generation
  }

  async #nextGeneration(fingerprint: string): Promise<string> {
    const last = (await this.#generations()).at(-1) ?? '0'
    return `${String(parseInt(last, 10) + 1).padStart(4, '0')}-${fingerprint.slice(0, 8)}`
  }

  async #generations(): Promise<string[]> {
    return (await this.#names()).filter(isGeneration).sort((a, b) => parseInt(a, 10) - parseInt(b, 10))
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#root)
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  }

  async #generation(role: Role): Promise<Generation | undefined> {
    const generation = await this.#linked(role)
    if (generation === undefined) return undefined
    const known = this.#read.get(generation)
    if (known) return known
    const [about, pem, damaged] = await Promise.all([
      readJson<Partial<About>>(this.#path(generation, 'about.json')),
      readIfThere(this.files(generation).certificate),
      damagedOf(this.files(generation)),
    ])
    const certificate = pem === undefined ? undefined : factsOf(pem)
    if (!certificate || damaged.length > 0) return undefined
    const { authorities = [], role: issuedAs = role } = about ?? {}
    const read = { generation, certificate, authorities, role: issuedAs }
    this.#read.set(generation, read)
    return read
  }

  /** A link to nothing is none: then nothing is damaged. */
  async #damage(): Promise<Pick<CredentialState, 'damaged'>> {
    const linked = await this.#linked('current')
    const generation = (await this.#names()).find(name => name === linked)
    return generation === undefined ? {} : { damaged: await damagedOf(this.files(generation)) }
  }

  async #linked(role: Role): Promise<string | undefined> {
    try {
      return await readlink(this.#path(role))
    } catch (error) {
      if (isMissing(error) || isNoLink(error)) return undefined
      throw error
    }
  }

  /** Old generations are kept for diagnosis, the newest few of them. */
  async #prune(): Promise<void> {
    const inUse = await Promise.all([this.#linked('current'), this.#linked('candidate')])
    const old = (await this.#generations()).filter(generation => !inUse.includes(generation))
    for (const generation of old.slice(0, -keptGenerations)) await removeDurable(this.#path(generation))
  }

  /** The links go first: a reader never finds half a generation. */
  async #clear(): Promise<void> {
    this.#read.clear()
    const there = await this.#names()
    const links = there.filter(name => /^(current|candidate)(\.new)?$/.test(name))
    const folders = there.filter(name => name === 'open' || isGeneration(name))
    if (links.length + folders.length > 0) await removeAll(this.#root, [...links, ...folders])
  }

  async #state(): Promise<StateFile | undefined> {
    return readJson<StateFile>(this.#path('state.json'))
  }

  async #writeState(state: StateFile): Promise<void> {
    await writeDurable(this.#path('state.json'), JSON.stringify(state))
  }

  #path(...rest: string[]): string {
    return join(this.#root, ...rest)
  }
}
