/** B-15: a CA trusted on first use is remembered, and one that took its place is an alarm before anything is sent to it. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { settledOn } from './scene.ts'

t.test('B-15: another CA than the one trusted on first use is an alarm, and gets no request', async t => {
  await using scene = await settledOn(t, {})
  const { lab, scep, sensor } = scene
  const pin = join(sensor.state, 'credentials/dot1x/corp/ca-pin')
  t.match(await readFile(pin, 'utf8'), /^[0-9a-f]{64}$/i, 'recorded')
  const sent = scep.messages.length
  await writeFile(pin, '0'.repeat(64))
  const mark = scene.mark()
  await lab.operator.command('sensor-1', { id: 'renew-1', command: 'renew', network: 'corp' })
  const { data } = await mark.event(
    ({ event, data }) => event === 'step-failed' && data?.action === 'renew',
    'the renewal fails',
  )
  t.match(data?.problem, { code: 'scep-ca-changed', side: 'configuration' })
  t.equal(scep.messages.length, sent, 'the password was not sent')
})
