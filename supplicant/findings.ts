import { EAP_FINDINGS } from './findings-eap.ts'
import { LINK_FINDINGS } from './findings-link.ts'
import type { Retry } from './errors.ts'

/** Who has to act. */
export type Side = 'sensor' | 'server' | 'network' | 'clock' | 'configuration'

export interface FindingText {
  title: string
  detail: string
  side: Side
  hint: string
  retry: Retry
  /** What is said instead where the network is joined by radio. */
  onTheAir?: Partial<Pick<FindingText, 'title' | 'detail' | 'hint'>>
}

const TEXTS = { ...EAP_FINDINGS, ...LINK_FINDINGS }

export type FindingCode = keyof typeof TEXTS

/** Every finding of the triage, in one place: default texts, whose side it is on, what ends the wait. */
export const FINDINGS: Readonly<Record<FindingCode, FindingText>> = TEXTS
