import t from 'tap'
import { parseSensorDocument } from '../../../agent/desired/parse.ts'
import { AgentError } from '../../../agent/errors.ts'
import { missingVariables, substitute, variablesFor } from '../../../agent/desired/variables.ts'
import { bytes, sensor } from './documents.ts'

const problems = (document: unknown) => {
  const result = parseSensorDocument(bytes(document))
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`)
}

t.test('sensor documents', t => {
  const cases: [string, unknown, string[]][] = [
    ['up to four networks (S2-75)', sensor(1, 'a', 'b', 'c', 'd'), []],
    ['no network at all', sensor(1), []],
    [
      'five networks (S2-75)',
      sensor(1, 'a', 'b', 'c', 'd', 'e'),
      ['networks: has to have at most 4 entries'],
    ],
    ['a network twice', sensor(1, 'a', 'a'), ['networks[1].network: is listed already as networks[0]']],
    [
      'an id with a slash',
      sensor(1, 'a/b'),
      [
        'networks[0].network: not an id: 1 to 64 of A-Z a-z 0-9 _ -',
        'networks[0].assignment: not an id: 1 to 64 of A-Z a-z 0-9 _ -',
      ],
    ],
    ['no assignment', { ...sensor(1), networks: [{ network: 'a' }] }, ['networks[0].assignment: is missing']],
    ['version 0', sensor(0), ['version: has to be at least 1']],
    ['a version with a fraction', sensor(1.5), ['version: is not a whole number']],
    ['no version', { schema: 1, networks: [] }, ['version: is missing']],
    ['tests all the time', { ...sensor(1), testEvery: 1 }, ['testEvery: has to be at least 10']],
    [
      'targets of every probe',
      {
        ...sensor(1),
        targets: [
          { probe: 'ping', host: 'h' },
          { probe: 'dns', name: 'n' },
          { probe: 'tcp', host: 'h', port: 1 },
          { probe: 'http', url: 'http://h/' },
        ],
      },
      [],
    ],
    [
      'a target on port 0',
      { ...sensor(1), targets: [{ probe: 'tcp', host: 'h', port: 0 }] },
      ['targets[0].port: has to be at least 1'],
    ],
    ['null', null, [': is not an object']],
  ]
  for (const [name, document, expected] of cases) t.same(problems(document), expected, name)
  t.end()
})

t.test('variables take the values of the sensor (S2-24..32)', t => {
  const identity = {
    sensor: 's',
    serial: '10000000abcd',
    model: 'Pi 4',
    hostname: 'pi',
    fqdn: '',
    macs: { eth0: 'dc:a6:32:00:00:01' },
  }
  const values = variablesFor(identity, 'lobby', 'eth0')
  t.equal(substitute('{serial}@example.org', values, 'x'), '10000000abcd@example.org')
  t.equal(substitute('{name} {mac} {hostname} {model}', values, 'x'), 'lobby dc:a6:32:00:00:01 pi Pi 4')
  t.equal(substitute('custom', values, 'x'), 'custom', 'S2-27, S2-28: a custom value is the same for all')
  t.same(missingVariables('{serial}.{fqdn}', values), ['fqdn'])
  let error: unknown
  try {
    substitute('dns:{fqdn}', values, 'scep.alternativeNames[0]')
  } catch (thrown) {
    error = thrown
  }
  t.ok(error instanceof AgentError)
  t.match(error, {
    finding: {
      code: 'variable-without-value',
      title: /\{fqdn\}/,
      detail: /alternativeNames\[0\]/,
      side: 'configuration',
    },
  })
  t.same(
    missingVariables('{mac}', variablesFor(identity, '', 'wlan0')),
    ['mac'],
    'the MAC is that of its own interface',
  )
  t.end()
})
