import t from 'tap'
import { withBootstrap } from '../../../agent/bootstrap.ts'
import { basisOf, findNetwork, purposeOf, revisionOf } from '../../../agent/core/want.ts'
import type { DesiredState } from '../../../agent/desired/state.ts'
import { actualOf } from '../core/world.ts'
import { but, bytes, corp, onboarding, plain, sensor } from './documents.ts'
import { open, ready } from './states.ts'

const ids = (state: DesiredState) => state.view.desired.tested.map(({ id }) => id)

t.test(
  'a sensor document is applied when every profile it needs is there (S2-04, S2-06, S2-07, S2-10)',
  async t => {
    const arrivals: Record<string, (state: DesiredState) => boolean> = {
      sensor: state => state.offerSensorDocument(bytes(sensor(1, 'corp'))),
      corp: state => state.offerNetwork('corp', bytes(corp)),
      onboarding: state => state.offerNetwork('onboarding', bytes(onboarding)),
    }
    const orders = [
      ['sensor', 'corp', 'onboarding'],
      ['sensor', 'onboarding', 'corp', 'onboarding'],
      ['corp', 'onboarding', 'sensor', 'corp', 'onboarding'],
    ]
    for (const order of orders) {
      await using state = await open(t)
      const applied = order.map(name => arrivals[name]?.(state))
      t.same(
        applied,
        order.map((_, i) => i === order.length - 1),
        `${order.join(', ')}: at the last arrival, not before`,
      )
      t.match(state.view, {
        desired: {
          source: 'broker',
          version: 1,
          tested: [{ id: 'corp', assignment: 'corp-1', interface: 'eth0' }],
          enrollment: [{ id: 'onboarding', assignment: '' }],
        },
        awaited: [],
        problems: [],
      })
    }
  },
)

t.test('what is missing is named, and its topic is subscribed (S2-06)', async t => {
  await using state = await open(t)
  state.offerSensorDocument(bytes(sensor(1, 'corp', 'guest')))
  t.match(state.view, {
    awaited: [{ network: 'corp' }, { network: 'guest' }],
    subscriptions: ['corp', 'guest'],
    desired: { source: 'none' },
  })
  state.offerNetwork('corp', bytes(corp))
  t.match(state.view, {
    awaited: [{ network: 'onboarding', neededBy: 'corp' }, { network: 'guest' }],
    subscriptions: ['corp', 'guest', 'onboarding'],
  })
  state.offerNetwork('guest', bytes(but(plain, 'shcema', 1)))
  t.match(state.view, {
    awaited: [{}, { network: 'guest', why: /refused/ }],
    problems: [{ topic: 'sonde/networks/guest', path: 'shcema' }],
  })
  state.offerNetwork('onboarding', bytes(but(corp, 'scep.enrollmentNetwork', 'x')))
  t.match(state.view.awaited[0], { network: 'onboarding', why: /itself needs a certificate/ })
})

t.test(
  'a network that serves enrolment is not tested and not counted, unless it is listed (S2-76, S2-77)',
  async t => {
    await using state = await open(t)
    for (const id of ['a', 'b', 'c']) state.offerNetwork(id, bytes(corp))
    state.offerSensorDocument(bytes(sensor(1, 'a', 'b', 'c', 'corp')))
    for (const id of ['a', 'b', 'c', 'corp']) state.offerNetwork(id, bytes(corp))
    state.offerNetwork('onboarding', bytes(onboarding))
    t.same(ids(state), ['a', 'b', 'c', 'corp'])
    t.match(state.view.desired.enrollment, [{ id: 'onboarding' }])
    state.offerSensorDocument(bytes(sensor(2, 'onboarding', 'corp')))
    t.same(ids(state), ['onboarding', 'corp'])
    t.same(state.view.desired.enrollment, [])
  },
)

t.test('a document that does not validate changes nothing and is listed with every problem', async t => {
  await using state = await ready(t)
  const before = state.view.applied
  t.notOk(state.offerNetwork('corp', bytes(but(but(corp, 'scep.url', 'x'), 'alias', ''))))
  t.notOk(state.offerSensorDocument(Buffer.from('{')))
  t.same(state.view.applied, before)
  t.match(state.view.problems, [
    { topic: 'sonde/networks/corp', path: 'alias' },
    { topic: 'sonde/networks/corp', path: 'scep.url' },
    { topic: 'sonde/sensors/s/desired', path: '', message: 'is not JSON' },
  ])
  t.ok(state.offerNetwork('corp', bytes(but(corp, 'alias', 'C'))))
  t.notOk(state.offerSensorDocument(bytes(sensor(1, 'corp'))), 'the same again is no change')
  t.same(state.view.problems, [], 'a good one takes the problems away')
})

t.test('a changed challenge password is a changed state at once (S2-58, S2-59, S2-71, S2-72)', async t => {
  await using state = await ready(t)
  t.ok(state.offerNetwork('corp', bytes(but(corp, 'scep.challengePassword', 'new'))))
  t.equal(state.view.desired.tested[0]?.profile.scep?.challengePassword, 'new')
})

t.test('an emptied profile suspends its network and keeps what is known of it', async t => {
  await using state = await ready(t)
  t.ok(state.offerNetwork('corp', Buffer.alloc(0)))
  t.match(state.view.desired, {
    tested: [],
    held: [{ id: 'corp', state: 'suspended' }],
    enrollment: [{ id: 'onboarding' }],
  })
  t.ok(state.offerNetwork('corp', bytes(corp)))
  t.same(ids(state), ['corp'])
})

t.test('an emptied sensor document changes nothing', async t => {
  await using state = await ready(t)
  t.notOk(state.offerSensorDocument(Buffer.alloc(0)))
  t.same(ids(state), ['corp'])
  t.match(state.view.problems, [{ message: /stays in force/ }])
})

t.test(
  'while a newer sensor document waits, the one in force goes on, and its networks follow their profiles',
  async t => {
    await using state = await ready(t)
    t.notOk(state.offerSensorDocument(bytes(sensor(2, 'corp', 'lab'))))
    t.match(state.view, { desired: { version: 1 }, awaited: [{ network: 'lab' }] })
    t.ok(state.offerNetwork('corp', bytes(but(corp, 'alias', 'C'))))
    t.match(state.view, {
      desired: { version: 1, tested: [{ profile: { alias: 'C' } }] },
      awaited: [{ network: 'lab' }],
    })
    t.ok(state.offerNetwork('lab', bytes(plain)))
    t.match(state.view, { desired: { version: 2 }, awaited: [] })
  },
)

t.test('a profile that names an enrollment network nobody has defined waits for it (S2-06)', async t => {
  await using state = await ready(t)
  t.notOk(state.offerNetwork('corp', bytes(but(corp, 'scep.enrollmentNetwork', 'onboarding-2'))))
  t.match(state.view, {
    awaited: [{ network: 'onboarding-2', neededBy: 'corp' }],
    subscriptions: ['corp', 'onboarding', 'onboarding-2'],
  })
  t.ok(state.offerNetwork('onboarding-2', bytes(onboarding)))
  t.match(state.view.desired.enrollment, [{ id: 'onboarding-2' }])
})

t.test('versions and epochs', async t => {
  const cases: [string, object, RegExp | undefined][] = [
    ['the next version', sensor(6, 'corp'), undefined],
    ['a version that skips some', sensor(9, 'corp'), undefined],
    ['an older version', sensor(4), /version 4 is lower than the one in force, version 5/],
    [
      'the same version with another content',
      sensor(5),
      /version 5 was already used for a different document/,
    ],
    ['a new epoch', { ...sensor(1, 'corp'), epoch: 1 }, undefined],
  ]
  for (const [name, document, refusal] of cases) {
    await using state = await ready(t, 5)
    state.offerSensorDocument(bytes(document))
    if (refusal)
      t.match(state.view.problems, [{ path: 'version', message: refusal, hint: /version 6/ }], name)
    else t.same(state.view.problems, [], name)
    t.equal(
      state.view.applied.desired?.version,
      refusal ? 5 : (document as { version: number }).version,
      name,
    )
  }
  await using state = await ready(t, 5)
  state.offerSensorDocument(bytes({ ...sensor(1, 'corp'), epoch: 7 }))
  state.offerSensorDocument(bytes(sensor(99, 'corp')))
  t.match(state.view, {
    applied: { desired: { version: 1, epoch: 7 } },
    problems: [{ message: /epoch 0 is lower/ }],
  })
})

t.test('a network for an interface this sensor does not have is held, with why (S2-15)', async t => {
  await using state = await open(t)
  state.offerSensorDocument(bytes(sensor(1, 'air', 'eth9', 'wire')))
  state.offerNetwork(
    'air',
    bytes({ schema: 1, interface: 'wireless', wireless: { ssid: 'x', security: 'open' } }),
  )
  state.offerNetwork('eth9', bytes(but(plain, 'interface', 'eth9')))
  state.offerNetwork('wire', bytes(plain))
  t.same(ids(state), ['wire'])
  t.match(state.view.desired.held, [
    { id: 'air', state: 'waiting', why: 'this sensor has no wireless interface' },
    { id: 'eth9', state: 'waiting', why: 'this sensor has no interface eth9' },
  ])
})

t.test('the documents of the settings are in force until the broker has its own', async t => {
  const bootstrap = { sensor: sensor(7, 'corp'), networks: { corp, onboarding } }
  await using state = await open(t, { bootstrap, name: 'lobby' })
  t.match(state.view.desired, { source: 'bootstrap', name: 'lobby', tested: [{ id: 'corp' }] })
  t.ok(state.offerSensorDocument(bytes({ ...sensor(1, 'corp'), name: 'hall' })), 'whatever its version')
  t.match(state.view, {
    desired: { source: 'broker', version: 1, name: 'hall' },
    subscriptions: ['corp', 'onboarding'],
  })
})

t.test('bootstrap documents with mistakes are problems, with their place in the settings', async t => {
  await using state = await open(t, {
    bootstrap: { sensor: { schema: 1 }, networks: { corp: { schema: 1, alias: '' } } },
  })
  t.match(state.view.problems, [
    { topic: 'settings bootstrap.networks.corp', path: 'alias' },
    { topic: 'settings bootstrap.sensor' },
    {},
  ])
})

t.test('a bootstrap network that no interface of the sensor goes with is held, and says why', async t => {
  await using state = await open(t)
  const radio = { ...plain, interface: 'wireless', wireless: { ssid: 'x', security: 'open' } }
  const networks = {
    onboarding,
    radio,
    other: but(plain, 'interface', 'eth7'),
    wrong: but(radio, 'interface', 'eth0'),
  }
  const interfaces = [{ name: 'eth0', kind: 'wired' as const }]
  t.match(withBootstrap(state.view.desired, { bootstrap: { networks }, interfaces }), {
    enrollment: [{ id: 'onboarding', interface: 'eth0' }],
    held: [
      { id: 'radio', state: 'waiting', why: 'this sensor has no wireless interface' },
      { id: 'other', state: 'waiting', why: 'this sensor has no interface eth7' },
      { id: 'wrong', state: 'waiting', why: 'the profile is wireless and eth0 is wired' },
    ],
  })
})

t.test('S2-26: a name that texts ask for is part of what they say, and of nothing else', async t => {
  await using state = await open(t)
  const rename = (version: number, name?: string) =>
    state.offerSensorDocument(bytes({ ...sensor(version, 'corp', 'guest'), name }))
  const read = (id: string) => {
    const { desired } = state.view
    const network = findNetwork(desired, id)
    if (network === undefined) throw new Error(`${id} is not wanted`)
    const [wait, purpose] = [basisOf(network, desired, actualOf()), purposeOf(id, desired)]
    return { wait, purpose, block: revisionOf(network, 'f1', 'supplicant') }
  }
  const readAll = () => ({ corp: read('corp'), onboarding: read('onboarding'), guest: read('guest') })
  rename(1)
  state.offerNetwork('corp', bytes(corp)) // its certificate is for dns:{name}
  state.offerNetwork('guest', bytes(plain))
  state.offerNetwork('onboarding', bytes(but(onboarding, 'eap.anonymousIdentity', '{name}@example.org')))
  let before = readAll()
  for (const [index, name] of ['lobby', 'hall'].entries()) {
    rename(2 + index, name)
    const after = readAll()
    t.not(after.corp.wait, before.corp.wait, 'what failed for want of a name, or with another, need not wait')
    t.not(after.corp.purpose, before.corp.purpose, 'nor does a request for the old name go on')
    t.equal(after.corp.block, before.corp.block, 'the name in a certificate costs no login')
    t.not(after.onboarding.wait, before.onboarding.wait)
    t.not(after.onboarding.block, before.onboarding.block, 'the supplicant is told the new name')
    t.same(after.guest, before.guest, 'where nothing asks for the name, it is a name and no more')
    before = after
  }
})
