/** An interface of the settings in the supplicant. */
import type { Supplicant, SupplicantInterface } from '../../supplicant/index.ts'

export interface InterfaceOptions {
  name: string
  kind: 'wired' | 'wireless'
  /** Of the regulatory domain, for a radio. */
  country?: string | undefined
  supplicant: Supplicant
}

/** Created in the supplicant, or taken over. Rejects with a SupplicantError. */
export function takeUp({ name, kind, country, supplicant }: InterfaceOptions): Promise<SupplicantInterface> {
  if (kind === 'wired') return supplicant.interface({ name, driver: 'wired' })
  return supplicant.interface({ name, driver: 'nl80211', ...(country !== undefined && { country }) })
}
