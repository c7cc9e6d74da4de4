/** The main job on real parts: from a profile on MQTT to EAP-TLS with a certificate of its own. */
import t from 'tap'
import { raise } from './lab.ts'
import { documents } from './documents.ts'

t.test('S2-01, S2-05: a sensor enrolls over onboarding and joins corp with its own certificate', async t => {
  await using lab = await raise(t)
  const sensor = await lab.sensor()
  const docs = await documents(lab)
  await lab.operator.network('onboarding', docs.onboarding)
  await lab.operator.network('corp', docs.corp)
  await lab.operator.desired('sensor-1', docs.sensor)
  const reported = await sensor.reported(
    r => (r as { networks: Record<string, { lastTest?: { passed: boolean } }> }).networks['corp']?.lastTest?.passed === true,
    'the sensor has joined and tested corp',
    15_000,
  )
  t.comment(JSON.stringify(reported, null, 1))
  await sensor.stop()
})
