/** A sensor that is broken, or in the wrong hands, writes whatever it likes on its own topics. */
import t from 'tap'
import { sensor as document } from '../../unit/desired/documents.ts'
import { mosquitto } from './broker.ts'
import { fleet } from './console.ts'
import { operator } from './operator.ts'
import { arrived, sensor, told } from './sensor.ts'

t.test('reports that cannot be read are said, and cost nobody the sight of the other sensors', async t => {
  await using broker = await mosquitto()
  await using writer = await operator(broker.url, ['sonde/sensors/+/reported'])
  await using good = await sensor({ directory: t.testdir(), url: broker.url, name: 'good' })
  await arrived(good)
  await told(good)
  const report = (await writer.until('the good one reports', ({ topic }) => topic.includes('good'))).json()
  const lastJoin = { at: new Date().toISOString(), ms: 1, stages: { '\u001b[31m': 1 } }
  const reports: Record<string, unknown> = {
    nothing: null,
    words: 'no object',
    empty: {},
    torn: { ...report, about: [], applied: 7 },
    network: { ...report, networks: { corp: null, odd: { phase: 'joined', certificate: 5, problem: 'x' } } },
    lists: { ...report, problems: 'x', awaiting: 7, rejected: 'q', link: 4 },
    deep: { ...report, about: { ...(report['about'] as object), more: 'DEEP' } },
    steering: { ...report, about: { ...(report['about'] as object), name: '\u001b[2J\u001b[31m' } },
    // In names, too; and as one character, which JSON does not escape by itself.
    names: {
      ...report,
      about: { ...(report['about'] as object), name: '\u009b31m', macs: { '\u001b[1m': 'x' } },
      networks: { '\u001b[2J': { phase: 'joined', role: 'tested', lastJoin } },
    },
  }
  // JSON.parse reads any depth; what walks over it afterwards does not.
  const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  for (const [id, bad] of Object.entries(reports)) {
    const text = JSON.stringify(bad).replace('"DEEP"', nested)
    await writer.publish(`sonde/sensors/${id}/reported`, Buffer.from(text), { retain: true })
    await writer.publish(`sonde/sensors/${id}/presence`, { state: 7 }, { retain: true })
    await writer.publish(`sonde/sensors/${id}/desired`, document(1), { retain: true })
  }
  const late = {
    schema: 1,
    state: 'away',
    instance: 'x',
    at: '2030-01-01T00:00:00Z',
    until: '2020-01-01T00:00:00Z',
  }
  await writer.publish('sonde/sensors/late/presence', late, { retain: true })
  await writer.publish('sonde/networks/odd', ['no', 'profile'], { retain: true })
  await writer.publish('sonde/sensors/two words/desired', document(1, 'corp'), { retain: true })
  const lines = ['list', 'problems', 'certificates', 'network list', 'export', 'acl me', 'list --json']
  const each = ['show', 'triage', 'show --json', 'triage --json']
  const asked = [...lines, ...Object.keys(reports).flatMap(id => each.map(line => `${line} ${id}`))]
  const answers = await Promise.all(asked.map(line => fleet(broker.url, line)))
  for (const [i, line] of asked.entries()) {
    t.equal(answers[i]?.code, 0, line)
    t.notMatch(answers[i]?.out, /[\u001b\u0080-\u009f]/)
  }
  t.match(answers[0]?.out, /good +online/)
  t.notMatch(
    answers[lines.indexOf('acl me')]?.out,
    'two words',
    'what is no id is no line of a file of rights',
  )
  for (const id of ['nothing', 'words', 'empty', 'torn', 'network', 'lists', 'deep'])
    t.match(answers[1]?.out, new RegExp(`^${id} .*The report cannot be read`, 'm'))
  t.match(answers[1]?.out, /^late +The sensor is not back/m)
  t.match(answers[1]?.out, /networks\.odd\.certificate/, 'with the place')
})
