/** Which way of renewing is taken at a server (B-70). */
import t from 'tap'
import { ServerMemory } from '../../../agent/server-memory.ts'
import { folderInMemory } from './in-memory.ts'

t.test(
  'B-70: what worked at a server is remembered, and what it refused is not tried first again',
  async t => {
    const folder = await folderInMemory(t)
    const servers = await ServerMemory.open(folder)
    const next = (advertised = true): string => servers.method('u', advertised, 'one')
    t.equal(next(), 'RenewalReq')
    t.equal(next(false), 'PKCSReq', 'where it has no Renewal')
    await servers.refused('u', 'RenewalReq', 'one')
    t.equal(next(), 'PKCSReq')
    await servers.refused('u', 'PKCSReq', 'one')
    t.equal(next(), 're-enrol')
    await servers.refused('u', 're-enrol', 'one')
    t.equal(next(), 'RenewalReq', 'the round begins anew')
    await servers.refused('u', 'RenewalReq', 'one')
    t.equal(next(), 'PKCSReq')
    await servers.worked('u', 'PKCSReq')
    await servers.refused('u', 'PKCSReq', 'one')
    t.equal(
      (await ServerMemory.open(folder)).method('u', true, 'one'),
      'PKCSReq',
      'a refusal may be about the password',
    )
  },
)

t.test(
  'B-70: what worked and is refused three times over is not insisted on: the others are tried in turn, and it again, with another password first',
  async t => {
    const servers = await ServerMemory.open(await folderInMemory(t))
    const tries = async (count: number, advertised: boolean, basis: string): Promise<string[]> => {
      const tried = []
      for (let index = 0; index < count; index += 1) {
        const method = servers.method('u', advertised, basis)
        tried.push(method)
        await servers.refused('u', method, basis)
      }
      return tried
    }
    const round = ['PKCSReq', 're-enrol', 'RenewalReq']
    await servers.worked('u', 'RenewalReq')
    t.strictSame(await tries(9, true, 'one'), [...Array<string>(3).fill('RenewalReq'), ...round, ...round])
    t.strictSame(await tries(4, true, 'two'), [...Array<string>(3).fill('RenewalReq'), 'PKCSReq'])
    await servers.worked('u', 'PKCSReq')
    t.strictSame(
      await tries(6, false, 'two'),
      [...Array<string>(3).fill('PKCSReq'), 're-enrol', 'PKCSReq', 're-enrol'],
      'where it has no Renewal',
    )
    await servers.worked('u', 'PKCSReq')
    t.strictSame(
      await tries(3, true, 'two'),
      Array<string>(3).fill('PKCSReq'),
      'what works again is not doubted',
    )
  },
)
