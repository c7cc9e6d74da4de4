/** The topics of docs/mqtt.md: made and read in this one place. Pure. */
import { idPattern } from './profile.ts'

/** One or more levels. */
export const prefixPattern = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/

export const isId = (text: string): boolean => idPattern.test(text)

export interface Topics {
  prefix: string
  sensor: string
  desired: string
  presence: string
  reported: string
  events: string
  commands: string
  replies: string
  network: (id: string) => string
}

/** @param prefix one or more levels, e.g. `sonde` */
export function topicsOf(prefix: string, sensor: string): Topics {
  const own = `${prefix}/sensors/${sensor}`
  return {
    prefix,
    sensor,
    desired: `${own}/desired`,
    presence: `${own}/presence`,
    reported: `${own}/reported`,
    events: `${own}/events`,
    commands: `${own}/commands`,
    replies: `${own}/replies`,
    network: id => `${prefix}/networks/${id}`,
  }
}

/** The network a topic is the profile of, or undefined. */
export function networkOfTopic(prefix: string, topic: string): string | undefined {
  const start = `${prefix}/networks/`
  const id = topic.startsWith(start) ? topic.slice(start.length) : ''
  return isId(id) ? id : undefined
}
