import t from 'tap'
import { looksLocked, PathError } from '../../../agent/path/errors.ts'
import { noLease, type Silence } from '../../../agent/path/no-lease.ts'

const silence: Silence = {
  interface: 'eth0',
  deadlineMs: 15_000,
  discovers: 18,
  taken: undefined,
  awaiting: false,
  refused: undefined,
  received: 0,
}

const cases: [string, Partial<Silence>, string, RegExp, boolean][] = [
  ['nothing at all was received: it looks like a locked port', {}, 'dhcp-no-offer', /nothing at all/, true],
  [
    'others were heard: the port is open and no server is there',
    { received: 7 },
    'dhcp-no-offer',
    /7 frames/,
    false,
  ],
  [
    'an offer was taken and not confirmed: the server is named',
    { taken: 'broadcasting select for 10.0.0.9, server 10.0.0.1', awaiting: true, received: 2 },
    'dhcp-no-ack',
    /server 10\.0\.0\.1/,
    false,
  ],
  [
    'the server refused: it is named, and its words are told',
    { refused: 'wrong network', taken: 'broadcasting select for 10.0.0.9, server 10.0.0.1', received: 2 },
    'dhcp-no-ack',
    /wrong network, after .*server 10\.0\.0\.1/,
    false,
  ],
]

for (const [sentence, seen, code, detail, locked] of cases)
  t.test(sentence, async t => {
    const error = noLease({ ...silence, ...seen })
    t.match(error, { code, detail, side: 'network', retry: 'backoff' })
    t.match(error.facts, { discovers: 18 })
    t.equal(looksLocked(error), locked)
  })

t.test('an error says what was seen, who has to act and what to do', async t => {
  const error = new PathError('address-conflict', '10.0.0.5 for eth0 is already on eth2', { cause: 'why' })
  t.match(error, {
    message: 'address-conflict: 10.0.0.5 for eth0 is already on eth2',
    title: /in use on another interface/,
    side: 'configuration',
    hint: /Two networks gave out the same address/,
    cause: 'why',
  })
  t.equal(looksLocked(new Error('another')), false)
})

t.test('what is mended on the sensor itself is tried as time passes: no document will change', async t => {
  for (const code of ['no-privilege', 'dhcp-client-missing', 'dhcp-client-failed', 'ip-failed'] as const)
    t.match(new PathError(code, ''), { side: 'sensor', retry: 'backoff' }, code)
})
