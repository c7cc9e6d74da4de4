import { country, demand, matching, oneOf, optional, shape } from './checks.ts'
import { SupplicantError } from './errors.ts'

export interface InterfaceSettings {
  name: string
  /** `nl80211` for radios. */
  driver: 'wired' | 'nl80211'
  /** ISO 3166 country for the regulatory domain, in capitals; radios only. */
  country?: string
}

const interfaceSettings = shape({
  name: matching(/^[^\s/]{1,15}$/, 'an interface name: 1 to 15 characters without blanks or slashes'),
  driver: oneOf('wired', 'nl80211'),
  country: optional(country),
})

/** Throws `invalid-argument` naming what cannot be. */
export function demandInterface(settings: InterfaceSettings): void {
  demand('interface', settings, interfaceSettings)
  if (settings.driver === 'wired' && settings.country !== undefined)
    throw new SupplicantError('invalid-argument', 'interface.country is for radios: leave it out for a wire')
}
