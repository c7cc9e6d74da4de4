/** Everything the agent has on disk and knows of itself, opened once at start; disposed in the order that loses nothing. */
import { judgeBy } from './broker-trust.ts'
import { Clock } from './clock.ts'
import type { Settings } from './config.ts'
import { CredentialNews } from './credential-news.ts'
import { Credentials } from './credentials.ts'
import { DesiredState } from './desired/state.ts'
import { readIdentity } from './identity.ts'
import { SpareKeys } from './keys.ts'
import type { Log } from './log.ts'
import { Outbox } from './mqtt/outbox.ts'
import type { Judge } from './mqtt/socket.ts'
import { topicsOf, type Topics } from './desired/topics.ts'
import { sweepLeftovers } from './path/index.ts'
import { RenewalQueueFile } from './renewal-queue.ts'
import { ServerMemory } from './server-memory.ts'
import { openStore, type Store } from './store.ts'
import type { Identity } from './types.ts'

export interface Parts extends AsyncDisposable {
  identity: Identity
  topics: Topics
  store: Store
  clock: Clock
  /** Of the broker's certificate, where the system clock is wrong. */
  judge: Judge
  credentials: Credentials
  news: CredentialNews
  spare: SpareKeys
  outbox: Outbox
  state: DesiredState
  renewals: RenewalQueueFile
  servers: ServerMemory
}

export async function openParts(settings: Settings, log: Log): Promise<Parts> {
  const [identity, store] = await Promise.all([
    readIdentity(settings),
    openStore(settings.stateDirectory),
    sweepLeftovers(),
  ])
  const { root } = store
  const topics = topicsOf(settings.mqtt.prefix, identity.sensor)
  const spare = new SpareKeys(store.spareKeys)
  const credentials = new Credentials(store.credentials, spare)
  const fault = (what: string) => (error: unknown) => {
    log.error({ err: error }, what)
  }
  const [clock, outbox, state, renewals, servers] = await Promise.all([
    Clock.open({ folder: root, trustSystemClock: settings.time.trustSystemClock }),
    Outbox.open({ directory: `${root}/outbox`, onError: fault('the outbox cannot be written') }),
    DesiredState.open({
      ...{ directory: root, topics, interfaces: settings.interfaces },
      revertAfter: settings.mqtt.revertAfter * 1000,
      overTested: settings.management === 'tested',
      ...(settings.name !== undefined && { name: settings.name }),
      ...(settings.bootstrap && { bootstrap: settings.bootstrap }),
      onCacheError: fault('the desired state cannot be cached'),
    }),
    RenewalQueueFile.open(root),
    ServerMemory.open(root),
    credentials.recover(fault('what a power cut left of a credential cannot be finished')),
  ])
  for (const { current } of Object.values(await credentials.readAll()))
    if (current) clock.atLeast(current.certificate.notBefore, 'certificate')
  // Without them a sensor may never reach its broker: then the journal is where a person looks.
  for (const problem of state.view.problems) log.error(problem, 'a document of the settings cannot be used')
  const news = new CredentialNews({
    ...{ credentials, renewals, saved: () => outbox.saved() },
    say: event => void outbox.append({ at: clock.now(), ...event }),
  })
  await news.catchUp()
  if (store.mended) {
    const text = 'store.json was damaged and has been written anew: the disk of the sensor may be worn out'
    outbox.append({ at: clock.now(), event: 'store-mended', severity: 'warning', text })
  }
  return {
    ...{ identity, topics, store, clock, credentials, news, spare, outbox, state, renewals, servers },
    judge: judgeBy(clock),
    [Symbol.asyncDispose]: async () => {
      await news.record().catch(fault('what was said of a credential cannot be remembered'))
      await outbox[Symbol.asyncDispose]()
      await state[Symbol.asyncDispose]()
      await clock.save()
    },
  }
}
