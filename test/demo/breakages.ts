/** What can be broken before the story begins: each shows another answer to "whose fault is it?". */
import type { documents } from '../lab/documents.ts'
import type { Lab } from '../lab/lab.ts'

export type Documents = Awaited<ReturnType<typeof documents>>

export interface Breakage {
  what: string
  /** Breaks the laboratory or the documents. */
  act: (lab: Lab, documents: Documents) => Promise<void> | void
}

export const breakages: Readonly<Record<string, Breakage>> = {
  password: {
    what: 'the profile has a wrong challenge password',
    act: (_, { corp }) => {
      corp.scep.challengePassword = 'wrong'
    },
  },
  scep: { what: 'the SCEP server is not running', act: lab => lab.scep.stop() },
  dhcp: { what: 'the enrollment network has no DHCP server', act: lab => lab.dhcp('enroll').stop() },
  radius: { what: 'the RADIUS server is dead', act: lab => lab.radius.stop() },
  ca: {
    what: 'the RADIUS server has a certificate of another CA',
    act: lab => lab.radius.configure({ server: lab.pki.serverOfOtherRoot }),
  },
  port: { what: 'the switch never opens its port', act: lab => lab.switch.lockForGood() },
}
