/** What can be broken before a chapter begins: each shows another answer to "whose fault is it?". */
import type { documents } from '../lab/documents.ts'
import type { Lab } from '../lab/lab.ts'
import { addresses } from '../lab/topology.ts'
import type { Chapter } from './story.ts'

export type Documents = Awaited<ReturnType<typeof documents>>

export interface Breakage {
  what: string
  /** Before which chapter. */
  chapter: Chapter
  /** Breaks the laboratory or the documents. */
  act: (lab: Lab, documents: Documents) => Promise<unknown>
}

const ask = `http://${addresses.scep}:8080/scep?operation=GetCACaps`

export const breakages: Readonly<Record<string, Breakage>> = {
  password: {
    what: 'the profile has a wrong challenge password',
    chapter: 'enrolment',
    act: (_, { corp }) => {
      corp.scep.challengePassword = 'wrong'
      return Promise.resolve()
    },
  },
  scep: { what: 'the SCEP server is not running', chapter: 'enrolment', act: lab => lab.scep.stop() },
  dhcp: {
    what: 'the enrollment network has no DHCP server',
    chapter: 'enrolment',
    // On a network where nobody was ever heard it looks like a port that stays locked.
    act: lab => Promise.all([lab.dhcp('enroll').stop(), lab.chatter('enroll')]),
  },
  radius: { what: 'the RADIUS server is dead', chapter: 'enrolment', act: lab => lab.radius.stop() },
  ca: {
    what: 'the RADIUS server has a certificate of another CA',
    chapter: 'enrolment',
    act: lab => lab.radius.configure({ server: lab.pki.serverOfOtherRoot }),
  },
  port: {
    what: 'the switch never opens its port',
    chapter: 'enrolment',
    act: lab => lab.switch.lockForGood(),
  },
  'renewal-scep': {
    what: 'the SCEP server is gone when the certificate is renewed',
    chapter: 'renewal',
    act: lab => lab.scep.stop(),
  },
  'renewal-trust': {
    what: 'the RADIUS server trusts another CA when the new certificate logs in',
    chapter: 'renewal',
    act: lab => lab.radius.configure({ clientCa: [lab.pki.otherRoot] }),
  },
  'renewal-rule': {
    what: 'a routing rule sends what comes from the tested network to eth1',
    chapter: 'renewal',
    act: lab =>
      lab.exec('sensor', 'ip', ['rule', 'add', 'pref', '10', 'to', addresses.scep, 'table', 'main']),
  },
  'renewal-leak': {
    what: 'another program of the sensor asks the SCEP server over eth1 meanwhile',
    chapter: 'renewal',
    act: lab => {
      const script = `require('http').get('${ask}', answer => { answer.resume() })`
      return lab.exec('sensor', process.execPath, ['-e', script])
    },
  },
}
