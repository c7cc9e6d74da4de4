/** Documents for the tests: valid ones, to be changed one thing at a time. */
import { rootCertificates } from 'node:tls'

/** A real certificate; whose does not matter. */
export const pem = rootCertificates[0] ?? ''

export const bytes = (document: unknown): Buffer => Buffer.from(JSON.stringify(document))

export const onboarding = {
  schema: 1,
  alias: 'Onboarding',
  interface: 'wired',
  eap: { method: 'PEAP', identity: 'setup', password: 'welcome-in', serverCa: [pem] },
}

export const corp = {
  schema: 1,
  alias: 'Corp',
  interface: 'wired',
  eap: { method: 'TLS', serverName: 'radius.example.org', serverCa: [pem] },
  scep: {
    enrollmentNetwork: 'onboarding',
    url: 'http://ndes.example.org/certsrv/mscep/mscep.dll/pkiclient.exe?',
    challengePassword: 'hush-hush',
    subject: { commonName: '{serial}' },
    alternativeNames: ['dns:{name}', 'upn:{serial}@example.org', 'mac'],
  },
}

export const plain = { schema: 1, interface: 'wired' }

export const sensor = (version: number, ...networks: string[]) => ({
  schema: 1,
  version,
  networks: networks.map(network => ({ network, assignment: `${network}-1` })),
})

/** A document with one value replaced (or taken out, by undefined), by its path: `scep.url`. */
export function but(document: object, path: string, value: unknown): Record<string, unknown> {
  const copy = structuredClone(document) as Record<string, unknown>
  const keys = path.split('.')
  let at = copy
  for (const key of keys.slice(0, -1)) at = at[key] = { ...(at[key] as Record<string, unknown>) }
  const last = keys.at(-1) ?? ''
  if (value === undefined) Reflect.deleteProperty(at, last)
  else at[last] = value
  return copy
}
