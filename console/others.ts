/**
 * Other operators at the same moment. MQTT has no way to publish only over what one has read: two who change one sensor count on
 * from the same version, the second document takes the place of the first, and the sensor takes one of the two. Everybody sees all
 * documents in one order, so everybody looks after the own change until it is quiet, a different while each; and who has taken the
 * place of a document unseen brings it back.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { parseSensorDocument } from '../agent/desired/parse.ts'
import type { SensorDocument } from '../agent/desired/sensor.ts'
import type { Broker } from './broker.ts'

/** Milliseconds for what was published to come back, and for all of it to become quiet. */
const patience = 2000
/** Milliseconds that count as quiet: at least, and at most so many more. */
const quiet = { least: 60, spread: 120 }

type Entry = SensorDocument['networks'][number]

/**
 * What a sensor tests with the changes of all of them. Pure.
 * @param base what our own change was made to
 * @param version of our own document: a document with a lower one knew less than we, and what it lacks was not taken out by it
 */
export function together(
  base: readonly Entry[],
  { version, epoch = 0 }: { version: number; epoch?: number },
  others: readonly SensorDocument[],
): Entry[] {
  const isIn = (networks: readonly Entry[], { network }: Entry): boolean =>
    networks.some(entry => entry.network === network)
  const knew = others.filter(other => other.epoch === epoch && other.version >= version)
  const kept = base.filter(entry => knew.every(({ networks }) => isIn(networks, entry)))
  const added = others.flatMap(({ networks }) => networks.filter(entry => !isIn(base, entry)))
  return [...kept, ...added.filter((entry, i) => added.findIndex(one => one.network === entry.network) === i)]
}

/** What a sensor document says beside the networks; defaults as its schema has them. */
export type Manner = Partial<Pick<SensorDocument, 'name' | 'testEvery' | 'targets'>>

/**
 * Whether a document of another lacks what we have changed beside the networks. Pure.
 * @param was what our own change was made to
 * @param strictly also where the other has changed the same to something else: then one of the two stands
 */
export function lacks(other: Manner, ours: Manner, was: Manner, strictly: boolean): boolean {
  const of = ({ name, testEvery = 300, targets = [] }: Manner): string[] =>
    [name ?? '', testEvery, targets].map(value => JSON.stringify(value))
  const [theirs, before] = [of(other), of(was)]
  return of(ours).some(
    (mine, i) => mine !== before[i] && theirs[i] !== mine && (strictly || theirs[i] === before[i]),
  )
}

/** Documents of others, in order, by where they stand to our own. */
export interface Contest {
  /** Our own has taken their place unseen. */
  earlier: SensorDocument[]
  later: SensorDocument[]
}

/**
 * What our change is to be made to beside the documents of others: all of them; and, where that does not fit together, those that were
 * there before ours, whoever was first. Everybody sees the same order. Pure.
 * @param own as it was published
 * @param most networks of one sensor
 */
export function standing(
  base: readonly Entry[],
  own: SensorDocument,
  { earlier, later }: Contest,
  most: number,
): [all: SensorDocument, first: SensorDocument] {
  const theirs = [...earlier, ...later]
  const version = Math.max(own.version, ...theirs.map(other => other.version))
  const beside = (others: readonly SensorDocument[]): SensorDocument => ({
    ...(others.at(-1) ?? own),
    ...{ version, networks: together(base, own, others) },
  })
  const fitting = earlier.reduce<SensorDocument[]>((taken, other) => {
    const more = [...taken, other]
    return together(base, own, more).length > most ? taken : more
  }, [])
  return [beside(theirs), beside(fitting)]
}

export class Others implements Disposable {
  readonly #broker: Broker
  /** What came for a sensor since it was looked at last, in order. */
  readonly #came = new Map<string, string[]>()
  readonly #own = new Set<string>()
  readonly #listening: Disposable
  #count = 0
  #heard: (sensor: string) => void = () => undefined

  /** Sensor documents have to be subscribed, and read, at this moment. */
  constructor(broker: Broker) {
    this.#broker = broker
    this.#listening = broker.listen((topic, payload, retain) => {
      const [kind, id = '', part] = topic.slice(broker.prefix.length + 1).split('/')
      if (retain || kind !== 'sensors' || part !== 'desired') return
      this.#came.set(id, [...(this.#came.get(id) ?? []), payload.toString()])
      this.#count += 1
      this.#heard(id)
    })
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
  }

  /**
   * Publishes them and waits until it is quiet. Returns the documents of others, by sensor, with which the change has to be brought
   * together.
   * @param keeps whether a document has the change that is made to this sensor
   */
  async publish(
    documents: ReadonlyMap<string, object>,
    keeps: (sensor: string, document: SensorDocument) => boolean,
  ): Promise<Map<string, Contest>> {
    const texts = new Map([...documents].map(([id, document]) => [id, JSON.stringify(document)]))
    for (const text of texts.values()) this.#own.add(text)
    await this.#broker.publishAll([...documents].map(([id, document]) => [`sensors/${id}/desired`, document]))
    await this.#back(texts)
    await this.#calm()
    const found = new Map<string, Contest>()
    for (const [id, text] of texts) {
      const came = this.#came.get(id) ?? []
      this.#came.delete(id)
      const place = came.indexOf(text)
      const earlier = this.#read(came.slice(0, Math.max(0, place)))
      const later = this.#read(came.slice(place + 1))
      const last = later.at(-1)
      if (earlier.length > 0 || (last && !keeps(id, last))) found.set(id, { earlier, later })
    }
    return found
  }

  #read(texts: readonly string[]): SensorDocument[] {
    return texts.flatMap(text => {
      const result = parseSensorDocument(Buffer.from(text))
      return result.ok && !this.#own.has(text) ? [result.document.value] : []
    })
  }

  /** All have come back, or it is late. */
  async #back(texts: ReadonlyMap<string, string>): Promise<void> {
    const missing = new Map(texts)
    const late = pause(patience, undefined, { ref: false })
    await new Promise<void>(resolve => {
      this.#heard = id => {
        if (this.#came.get(id)?.includes(missing.get(id) ?? '') === true) missing.delete(id)
        if (missing.size === 0) resolve()
      }
      for (const id of texts.keys()) this.#heard(id)
      void late.then(resolve)
    })
  }

  #calm(): Promise<void> {
    return calm(this.#broker, () => this.#count)
  }
}

/**
 * Quiet is what is quiet at the broker: where this process or the line is slow, what has been said may not have come yet.
 * @param count of what has come
 */
async function calm(broker: Broker, count: () => number): Promise<void> {
  const end = performance.now() + patience
  for (let seen = -1; seen !== count() && performance.now() < end;) {
    seen = count()
    await pause(quiet.least + quiet.spread * Math.random())
    await Promise.race([broker.turn(), pause(patience, undefined, { ref: false })])
  }
}

/** What others publish to one topic from now on, which is subscribed: a document that is replaced as a whole cannot be brought together. */
export class Rivals implements Disposable {
  readonly #broker: Broker
  readonly #topic: string
  readonly #came: Buffer[] = []
  readonly #listening: Disposable

  constructor(broker: Broker, topic: string) {
    this.#broker = broker
    this.#topic = topic
    this.#listening = broker.listen((from, payload, retain) => {
      if (!retain && from === `${broker.prefix}/${topic}`) this.#came.push(payload)
    })
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
  }

  /** Returns another's document that came before, and is gone unseen, or the one that stands instead. */
  async publish(document: unknown): Promise<{ unseen?: Buffer; stands?: Buffer }> {
    const own = Buffer.from(JSON.stringify(document))
    await this.#broker.publishAll([[this.#topic, document]])
    await calm(this.#broker, () => this.#came.length)
    const another = this.#came.find(bytes => !bytes.equals(own))
    if (another === undefined) return {}
    const stands = await this.#retained()
    return stands.equals(own) ? { unseen: another } : { stands }
  }

  /** Not every broker hands out what comes at one moment in the same order to everybody; only one document is kept. */
  async #retained(): Promise<Buffer> {
    let kept = Buffer.alloc(0)
    using _ = this.#broker.listen((from, payload, retain) => {
      if (retain && from === `${this.#broker.prefix}/${this.#topic}`) kept = Buffer.from(payload)
    })
    await this.#broker.subscribe([this.#topic])
    return kept
  }
}
