/** Whether the renewal went the way it has to go, by what others counted and logged. Pure. */
import type { Counters, LinkCount } from '../lab/counters.ts'
import type { Login } from '../lab/radius.ts'
import type { Failure, Story } from './story.ts'
import { isFull } from './telling.ts'

export interface Evidence {
  /** Packets of the sensor during the renewal, as the links counted them. */
  packets: Counters
  /** The login that the RADIUS server accepted. */
  login: Login
}

const kinds = Object.keys({
  ip: 0,
  dhcp: 0,
  dns: 0,
  scep: 0,
  broker: 0,
} satisfies LinkCount) as (keyof LinkCount)[]

/** What was counted between two looks. */
export function between(before: Counters, after: Counters): Counters {
  const link = (name: 'enroll' | 'tested' | 'management'): LinkCount =>
    Object.fromEntries(kinds.map(kind => [kind, after[name][kind] - before[name][kind]])) as LinkCount
  return {
    port: {
      ipBlocked: after.port.ipBlocked - before.port.ipBlocked,
      ipPassed: after.port.ipPassed - before.port.ipPassed,
    },
    ...{ enroll: link('enroll'), tested: link('tested'), management: link('management') },
  }
}

/** Packets of one kind by the place they were counted at, e.g. `br-tested 12, br-enroll 0, eth1 0`. */
export const counted = ({ tested, enroll, management }: Counters, kind: 'scep' | 'dns'): string =>
  `br-tested ${String(tested[kind])}, br-enroll ${String(enroll[kind])}, eth1 ${String(management[kind])}`

/** True when SCEP and DNS were seen on the tested network and nowhere else. */
const keptToItsNetwork = ({ tested, enroll, management }: Counters): boolean =>
  (['scep', 'dns'] as const).every(kind => tested[kind] > 0 && enroll[kind] === 0 && management[kind] === 0)

/** What is wrong with the renewal although the sensor reports none: undefined when nothing is. */
export function judge(story: Story, { packets, login }: Evidence): Failure | undefined {
  const { tested, certificate } = story
  if (!keptToItsNetwork(packets))
    return disproved(`renew the certificate of ${tested} over ${tested} alone`, {
      title: 'SCEP or DNS packets were counted where none may be, or none where they have to be',
      detail: `SCEP: ${counted(packets, 'scep')}; DNS: ${counted(packets, 'dns')}`,
      hint: "look which program of the sensor sent them: they have to be on br-tested, which is the tested network's",
    })
  const serial = certificate?.serial ?? ''
  if (login.serial === undefined || BigInt(`0x${login.serial}`) !== BigInt(`0x${serial}`))
    return disproved(`log in to ${tested} with the new certificate`, {
      title: 'The RADIUS server saw another certificate',
      detail: `it logged serial ${login.serial ?? 'none'}, the new certificate has ${serial}`,
      hint: 'look at the log of the RADIUS server',
    })
  if (!isFull(story.proof))
    return disproved(`log in to ${tested} with the new certificate`, {
      title: 'The login was no full authentication',
      detail: 'a resumed TLS session proves nothing about the new certificate',
      hint: 'look at the log of wpa_supplicant',
    })
  return undefined
}

const disproved = (doing: string, said: { title: string; detail: string; hint: string }): Failure => ({
  doing,
  finding: { code: 'demonstration', ...said, side: 'sensor', retry: 'never' },
  fault: 'the sensor, although it reports success',
})
