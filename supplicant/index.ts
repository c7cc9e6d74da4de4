export * from './attempt.ts'
export { type Blob, type BlockKey, type NetworkBlock, usesEap } from './block.ts'
export * from './errors.ts'
export {
  type InterfaceFacts,
  type InterfaceNews,
  type NetworkEntry,
  SupplicantInterface,
} from './interface.ts'
export { join, type Joined, type JoinOptions } from './join.ts'
export { eventsOf, type InterfaceEvent, type ServerCertificate, type State } from './signals.ts'
export * from './supplicant.ts'
export { type FindingCode, FINDINGS, type Side } from './findings.ts'
export * from './triage.ts'
export * from './watch.ts'
export * from './kinds.ts'
export * from './preflight.ts'
export { type Bss, bssOf, heard, scan, type ScanOptions } from './scan.ts'
