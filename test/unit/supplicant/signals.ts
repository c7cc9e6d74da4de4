import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { type LinkChange, Links, parseLink } from '../../../supplicant/links.ts'
import { eventsOf } from '../../../supplicant/signals.ts'

const PROPERTIES = 'org.freedesktop.DBus.Properties'
const INTERFACE = 'fi.w1.wpa_supplicant1.Interface'

t.test('a change of properties becomes events, the reason before the state it explains', async t => {
  const properties = {
    State: 'disconnected',
    DisconnectReason: -3,
    CurrentBSS: '/',
    CurrentAuthMode: 'INACTIVE',
  }
  t.same(
    eventsOf({ interface: PROPERTIES, member: 'PropertiesChanged', body: [INTERFACE, properties, []] }),
    [
      { kind: 'disconnect-reason', reason: -3 },
      { kind: 'bss', bss: '/' },
      { kind: 'auth-mode', mode: 'INACTIVE' },
      { kind: 'state', state: 'disconnected' },
    ],
  )
})

t.test('the legacy copy of a change, other objects and unknown signals say nothing', async t => {
  const body = [{ State: 'completed' }]
  t.same(eventsOf({ interface: INTERFACE, member: 'PropertiesChanged', body }), [])
  t.same(
    eventsOf({
      interface: PROPERTIES,
      member: 'PropertiesChanged',
      body: ['fi.w1.wpa_supplicant1.Network', {}],
    }),
    [],
  )
  t.same(eventsOf({ interface: INTERFACE, member: 'SomethingNew', body: [] }), [])
  t.same(eventsOf({ interface: PROPERTIES, member: 'PropertiesChanged', body: [] }), [])
})

t.test('a state of a future version is unknown, not an error', async t => {
  const body = [INTERFACE, { State: 'meditating' }]
  t.same(eventsOf({ interface: PROPERTIES, member: 'PropertiesChanged', body }), [
    { kind: 'state', state: 'unknown' },
  ])
})

/** A folder with an `ip` that does `show`, and as a monitor says the lines once something was written to `go`. */
async function scriptedIp(t: Test, show: string, lines: readonly string[]): Promise<string> {
  const folder = t.testdir({
    ip: `#!/bin/sh
cd "$(dirname "$0")"
case "$*" in
*show*) ${show} ;;
*) read _ <go; ${lines.map(line => `echo '${line}'; `).join('')} exec sleep 60 ;;
esac
`,
  })
  await chmod(`${folder}/ip`, 0o755)
  await promisify(execFile)('mkfifo', [`${folder}/go`])
  // What watches keeps no process alive.
  const alive = setInterval(() => undefined, 1_000)
  t.teardown(() => {
    clearInterval(alive)
  })
  return folder
}

t.test(
  'a carrier that was away for a moment, of which the kernel only says that it is there, is told as lost and back',
  async t => {
    const line = '3: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500'
    const folder = await scriptedIp(t, `echo '${line}'; echo >go`, [line, line, line])
    const counts = [4, 4, 5, 6]
    using links = new Links([`${folder}/ip`], () => counts.shift())
    const told: boolean[] = []
    const back = new Promise<void>(resolve => {
      links.on(({ carrier }) => {
        told.push(carrier)
        if (told.length === 3) resolve()
      })
    })
    await links.ready()
    await back
    t.same(told, [true, false, true], 'once, and not for a change whose line is still to come')
    t.equal(counts.length, 0)
    t.equal(links.carrier('eth0'), true)
  },
)

/** Lines of `ip monitor link` after the dump, and what is told of eth0. */
const links: [string, string[], Partial<LinkChange>[]][] = [
  [
    'taken out, also while it is down',
    ['3: eth0: <BROADCAST>', 'Deleted 3: eth0: <BROADCAST>'],
    [{ enabled: false, gone: false }, { gone: true }],
  ],
  ['given another name', ['3: eth9: <BROADCAST>'], [{ carrier: false, enabled: false, gone: true }]],
  [
    'replaced by another',
    ['7: eth0: <UP,LOWER_UP>'],
    [
      { index: 3, gone: true },
      { index: 7, carrier: true, gone: false },
    ],
  ],
]
for (const [what, lines, expected] of links)
  t.test(`a link that is ${what} is told as gone`, async t => {
    const folder = await scriptedIp(t, "echo '3: eth0: <UP,LOWER_UP>'", lines)
    using links = new Links([`${folder}/ip`], () => undefined)
    const told: LinkChange[] = []
    const all = new Promise<void>(resolve => {
      links.on(change => {
        if (change.name === 'eth0') told.push(change)
        if (told.length > expected.length) resolve()
      })
    })
    await links.ready()
    await writeFile(`${folder}/go`, '\n')
    await all
    t.match(told.slice(1), expected)
  })

t.test('the carrier is read from what ip prints', async t => {
  const cases: [string, ReturnType<typeof parseLink>][] = [
    [
      '3: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc',
      { name: 'eth0', carrier: true, enabled: true, index: 3, gone: false },
    ],
    [
      '3: eth0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500',
      { name: 'eth0', carrier: false, enabled: true, index: 3, gone: false },
    ],
    [
      'Deleted 3: wlan0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500',
      { name: 'wlan0', carrier: false, enabled: false, index: 3, gone: true },
    ],
    ['    link/ether 02:00:00:00:00:10 brd ff:ff:ff:ff:ff:ff', undefined],
  ]
  for (const [line, expected] of cases) t.same(parseLink(line), expected, line)
})
