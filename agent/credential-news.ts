/**
 * What happens to a credential is said at least once, wherever the power is cut: the change itself is on disk, and beside it
 * `told.json` names what was said of it for certain. What the disk shows beyond that is said at the next start.
 * The record follows in idle time and with a clean stop, so that nothing waits for it.
 */
import type { Credentials } from './credentials.ts'
import type { RenewalQueueFile } from './renewal-queue.ts'
import type { CertificateFacts, CredentialState, TimelineEvent } from './types.ts'

/** Something that happened; each has a name of its own within the credential. */
export type News =
  | { kind: 'issued'; generation: string; role: 'current' | 'candidate'; certificate: CertificateFacts }
  | { kind: 'in-use'; generation: string }
  | { kind: 'removed'; at: number }

interface World {
  credentials: Credentials
  renewals: RenewalQueueFile
  /** Resolves when every event said so far is on disk; false when the disk does not take them. */
  saved: () => Promise<boolean>
  say: (event: Omit<TimelineEvent, 'at'>) => void
}

type More = Pick<TimelineEvent, 'interface' | 'data'>

export class CredentialNews {
  readonly #with: World
  /** Said, and perhaps not on disk yet. */
  readonly #said = new Map<string, News[]>()

  constructor(world: World) {
    this.#with = world
  }

  tell(network: string, news: News, { data, ...more }: More): void {
    const event = eventOf(network, news)
    this.#with.say({ ...event, ...more, data: { ...event.data, ...data } })
    this.#said.set(network, [...(this.#said.get(network) ?? []), news])
  }

  /** Call once at start: says what a power cut kept from being said, or from being known to be said. */
  async catchUp(): Promise<void> {
    for (const [network, state] of Object.entries(await this.#with.credentials.readAll())) {
      const told = await this.#with.credentials.of(network).notes.told()
      for (const news of happenedTo(state).filter(each => !told.includes(nameOf(each)))) {
        // What was asked for is there: it is not asked for again.
        if (news.kind === 'issued')
          for (const what of ['renew', 'enroll'] as const) await this.#with.renewals.ended(what, network)
        this.tell(network, news, { data: { again: true } })
      }
    }
  }

  /** Remembers what was said, once it is on disk. */
  async record(): Promise<void> {
    if (this.#said.size === 0) return
    const said = [...this.#said]
    this.#said.clear()
    if (!(await this.#with.saved())) return
    for (const [network, news] of said)
      await this.#with.credentials.of(network).notes.addTold(news.map(nameOf))
  }
}

const nameOf = (news: News): string =>
  `${news.kind} ${news.kind === 'removed' ? String(news.at) : news.generation}`

/** What the disk shows to have happened. A first certificate is in use on completion; a candidate only once it is proved. */
function happenedTo({ current, candidate, removed }: CredentialState): News[] {
  const issued = (role: 'current' | 'candidate', made: typeof current): News[] =>
    made ? [{ kind: 'issued', role: made.role ?? role, ...made }] : []
  return [
    ...issued('current', current),
    ...(current?.role === 'candidate' ? [{ kind: 'in-use' as const, generation: current.generation }] : []),
    ...issued('candidate', candidate),
    ...(removed ? [{ kind: 'removed' as const, at: removed.at }] : []),
  ]
}

/** S1-70: "Request completed"; a replacement is "in use" only after its login proof. */
function eventOf(network: string, news: News): Omit<TimelineEvent, 'at'> {
  switch (news.kind) {
    case 'issued': {
      const { certificate, role } = news
      const text = `Request completed: ${certificate.subject}`
      return { event: 'certificate-issued', severity: 'info', network, text, data: { certificate, role } }
    }
    case 'in-use': {
      const text = `the new certificate of ${network} is in use`
      const data = { generation: news.generation }
      return { event: 'certificate-in-use', severity: 'info', network, text, data }
    }
    case 'removed': {
      const text = `the certificate of ${network} was removed; it is not requested again until asked`
      return { event: 'certificate-removed', severity: 'warning', network, text }
    }
  }
}
