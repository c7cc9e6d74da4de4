import { readFile } from 'node:fs/promises'
import type { Lab } from './lab.ts'

/** The password user of the enrollment network. */
export const peapUser = { identity: 'peapuser', password: 'peap-secret' } as const

/** The challenge password the SCEP server wants, unless the lab's options say otherwise. */
export const challenge = 'lab-challenge'

/** The lab's two networks as an operator publishes them: `onboarding` by PEAP, `corp` by EAP-TLS with a certificate by SCEP over it. */
export async function documents(lab: Lab) {
  const serverCa = [await readFile(lab.pki.root, 'utf8')]
  const server = { serverName: 'radius.example.org', serverCa }
  const scep = { enrollmentNetwork: 'onboarding', url: lab.scep.url, challengePassword: challenge }
  return {
    onboarding: {
      ...{ schema: 1, alias: 'Onboarding', interface: 'eth0' },
      eap: { method: 'PEAP', ...peapUser, ...server },
    },
    corp: {
      ...{ schema: 1, alias: 'Corporate', interface: 'eth0' },
      eap: { method: 'TLS', ...server },
      scep,
    },
    sensor: { schema: 1, version: 1, networks: [{ network: 'corp', assignment: 'first' }] },
  }
}
