/** Whether a request that is open still is what the profile asks for. */
import t from 'tap'
import { renewalBasis } from '../../../agent/effects/renew.ts'
import type { Scep } from '../../../agent/desired/profile.ts'
import { corp } from '../core/world.ts'

const { scep } = corp.profile
if (!scep) throw new Error('unreachable: corp enrols by SCEP')
const basis = (changes: Partial<Scep> = {}, fingerprint = 'f1') =>
  renewalBasis(fingerprint, { ...scep, ...changes })

const other: [string, Partial<Scep>][] = [
  ['the server', { url: 'http://other.example.org/scep' }],
  ['the way of renewing', { renewalMethod: 'PKCSReq' }],
  ['the kind of key', { key: 'rsa-4096' }],
  ['the signature', { signature: 'SHA-512' }],
  ['the template', { template: 'Sensor' }],
  ['the password', { challengePassword: 'another' }],
  ['whether it is sent', { challengeOnRenewal: false }],
]
for (const [what, changes] of other)
  t.test(`S2-58: an open renewal is made anew when ${what} changes`, async t => {
    t.not(basis(changes), basis())
  })

const same: [string, Partial<Scep>][] = [
  ['when it is due', { renewal: { daysBeforeExpiry: 30 } }],
  ['how the message is wrapped', { encryption: '3DES', digest: 'SHA-512', keyTransport: 'OAEP-SHA-256' }],
  ['how often it is polled for', { polling: { every: 5, most: 1, giveUpAfterHours: 1 } }],
]
for (const [what, changes] of same)
  t.test(`an open renewal is kept when the profile changes in ${what}`, async t => {
    t.equal(basis(changes), basis())
  })

t.test('an open renewal is made anew when another certificate is in force', async t => {
  t.not(basis({}, 'f2'), basis())
  t.not(
    basis({ challengeOnRenewal: false, challengePassword: 'a' }),
    basis({ challengePassword: 'b' }),
    'a password that is not sent',
  )
  t.equal(
    basis({ challengeOnRenewal: false, challengePassword: 'a' }),
    basis({ challengeOnRenewal: false, challengePassword: 'b' }),
    'is no reason',
  )
})
