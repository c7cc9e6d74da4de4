/** How something is broken before a chapter begins: each shows another answer to "whose fault is it?". What, says test/setup/words.mjs. */
import type { documents } from '../lab/documents.ts'
import type { Lab } from '../lab/lab.ts'
import { addresses } from '../lab/topology.ts'
import type { Chapter } from './story.ts'

export type Documents = Awaited<ReturnType<typeof documents>>

export interface Breakage {
  /** Before which chapter. */
  chapter: Chapter
  /** Breaks the laboratory or the documents. */
  act: (lab: Lab, documents: Documents) => Promise<unknown>
}

const ask = `http://${addresses.scep}:8080/scep?operation=GetCACaps`

export const breakages: Readonly<Record<string, Breakage>> = {
  password: {
    chapter: 'enrolment',
    act: (_, { corp }) => {
      corp.scep.challengePassword = 'wrong'
      return Promise.resolve()
    },
  },
  scep: { chapter: 'enrolment', act: lab => lab.scep.stop() },
  dhcp: {
    chapter: 'enrolment',
    // On a network where nobody was ever heard it looks like a port that stays locked.
    act: lab => Promise.all([lab.dhcp('enroll').stop(), lab.chatter('enroll')]),
  },
  radius: { chapter: 'enrolment', act: lab => lab.radius.stop() },
  ca: {
    chapter: 'enrolment',
    act: lab => lab.radius.configure({ server: lab.pki.serverOfOtherRoot }),
  },
  port: {
    chapter: 'enrolment',
    act: lab => lab.switch.lockForGood(),
  },
  'renewal-scep': {
    chapter: 'renewal',
    act: lab => lab.scep.stop(),
  },
  'renewal-trust': {
    chapter: 'renewal',
    act: lab => lab.radius.configure({ clientCa: [lab.pki.otherRoot] }),
  },
  'renewal-rule': {
    chapter: 'renewal',
    act: lab =>
      lab.exec('sensor', 'ip', ['rule', 'add', 'pref', '10', 'to', addresses.scep, 'table', 'main']),
  },
  'renewal-leak': {
    chapter: 'renewal',
    act: lab => {
      const script = `require('http').get('${ask}', answer => { answer.resume() })`
      return lab.exec('sensor', process.execPath, ['-e', script])
    },
  },
}
