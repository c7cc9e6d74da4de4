/**
 * The power can be cut at every write, fsync, rename and network call of enrolment and renewal (test/long), because each passes a
 * checkpoint. Here: that nobody writes or connects elsewhere.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

const top = join(import.meta.dirname, '../../..')

/** Who may change files, and why each that passes no checkpoint is no part of a certificate. */
const writers: Record<string, string> = {
  'agent/durable.ts': 'every write, link, rename, removal and fsync passes a checkpoint',
  'agent/mqtt/outbox-log.ts': 'the timeline: checkpoints of its own',
  'agent/store-migration.ts': 'copies; what it puts in place goes through durable.ts',
  'agent/status-file.ts': 'for `sonde status`, gone with the power',
  'agent/path/udhcpc.ts': 'scripts of the DHCP client, gone with the power',
  'agent/path/isolation.ts': 'settings of the kernel',
  'agent/start.ts': 'the code cache, made again where it is not whole',
  'agent/scep-cli/folder.ts': 'the client by hand, which nobody restarts',
}

/** Who may open a connection or send a packet. */
const senders: Record<string, string> = {
  'agent/path/binding.ts': 'every connection over a tested interface passes a checkpoint',
  'agent/path/answering.ts': 'every connection that is tried passes a checkpoint',
  'agent/path/resolver.ts': 'every look-up passes a checkpoint',
  'agent/time-sources.ts': 'every question to a time server passes a checkpoint',
  'agent/scep/transport.ts': 'over the agent of the path; says before each exchange',
  'agent/effects/inspect.ts': 'over the agent of the path; every CRL passes a checkpoint',
  'agent/mqtt/socket.ts': 'the broker',
  'agent/scep-cli/preflight.ts': 'the client by hand',
  'agent/path/ip.ts': 'netlink through a child',
  'agent/path/monitor.ts': 'netlink through a child',
}

async function sources(folder: string): Promise<{ path: string; text: string }[]> {
  const names = await readdir(join(top, folder), { recursive: true })
  return Promise.all(
    names
      .filter(name => name.endsWith('.ts'))
      .map(async name => ({
        path: `${folder}/${name}`,
        text: await readFile(join(top, folder, name), 'utf8'),
      })),
  )
}

/** Names taken from the modules, types left out. */
const taken = (text: string, modules: RegExp): string[] =>
  [...text.matchAll(/import (?!type )(?:(\w+),? ?)?(?:\{([^}]*)\})? ?from '(node:[^']+)'/g)].flatMap(
    ([, whole = '', list = '', from = '']) =>
      modules.test(from)
        ? [whole, ...list.split(',')]
            .map(name => name.trim())
            .filter(name => name && !name.startsWith('type '))
        : [],
  )

t.test(
  'whoever writes or sends is known, and passes a checkpoint where a certificate is concerned',
  async t => {
    const all = await sources('agent')
    const change =
      /^(writeFile|appendFile|open|rename|rm|rmSync|unlink|mkdir|symlink|link|truncate|cp|copyFile|chmod|utimes)$/
    const writing = all.filter(({ text }) => taken(text, /^node:fs/).some(name => change.test(name)))
    t.strictSame(writing.map(({ path }) => path).sort(), Object.keys(writers).sort())
    const send = /^(connect|get|request|createSocket|Resolver|lookup|http|https|net|tls|Socket|fetch)$/
    const sending = all.filter(({ text }) =>
      taken(text, /^node:(net|tls|http|https|dgram|dns)/).some(name => send.test(name)),
    )
    t.strictSame(sending.map(({ path }) => path).sort(), Object.keys(senders).sort())
    t.notOk(
      all.find(({ text }) => /\bfetch\(/.test(text.replaceAll(/\.fetch\(/g, ''))),
      'and nobody uses fetch()',
    )
  },
)

t.test('what changes the disk in durable.ts follows a checkpoint in the same function', async t => {
  const text = await readFile(join(top, 'agent/durable.ts'), 'utf8')
  const functions = text.split(/^(?=export (?:async )?(?:function|const))/m)
  const changing = functions.filter(body => /\b(mkdir|rename|symlink|rm|sync|writeFile)\(/.test(body))
  t.ok(changing.length >= 5, `${String(changing.length)} functions`)
  for (const body of changing) t.match(body, /checkpoint\(/, body.split('(')[0] ?? '')
})

t.test(
  'every exchange with a SCEP server passes a checkpoint, also over a connection that is still open',
  async t => {
    const all = await sources('agent')
    // The client itself, and the one by hand, which nobody restarts.
    const opening = all.filter(
      ({ path, text }) => text.includes('openTransport(') && !/^agent\/scep(-cli)?\//.test(path),
    )
    t.strictSame(
      opening.map(({ path }) => path),
      ['agent/scep-over-path.ts'],
    )
    t.match(opening[0]?.text, /checkpoint\(`send /)
  },
)
