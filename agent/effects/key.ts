import type { KeyObject } from 'node:crypto'
import type { KeyKind } from '../keys.ts'
import type { Context } from './context.ts'

/** The key of the network's open enrolment. Says when one is begun and when it is there: nothing else takes as long. */
export const keyOf = (network: string, kind: KeyKind, context: Context): Promise<KeyObject> =>
  context.credentials.of(network).key(kind, context.credentials.spare, news => {
    if (news.state === 'started') {
      const text = `a private key is being made: ${kind}`
      context.say({ event: 'key-started', severity: 'debug', network, text, data: { kind } })
    } else {
      const { origin, ms } = news
      const text = `the private key is there: ${kind}, ${origin}`
      context.say({ event: 'key-ready', severity: 'info', network, text, data: { kind, origin, ms } })
    }
  })
