/** The unit and its companions, judged by systemd's own tools. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../systemd')
const unit = readFileSync(join(folder, 'sonde.service'), 'utf8')

const has = (tool: string) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0
const without = (tool: string) => ({ skip: has(tool) ? false : `needs ${tool} (Debian package systemd)` })

/** The values of a setting; several lines of it are one list. */
const values = (name: string) =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].flatMap(([, value = '']) => value.split(' ')).sort()

/** Runs a tool and returns its exit status and everything it said. */
const said = (tool: string, args: string[]) => {
  const { status, stdout, stderr } = spawnSync(tool, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  })
  return { status, text: stdout + stderr }
}

/** A root folder like that of a device with the package installed: what is checked does not depend on this machine. */
const device = (t: Test, text = unit) => {
  const root = t.testdir({})
  const write = (path: string, content: string, mode: number) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content, { mode })
  }
  write('usr/bin/node', '#!/bin/sh\n', 0o755)
  write('usr/lib/sonde/sonde.cjs', '', 0o644)
  write('usr/lib/systemd/system/sonde.service', text, 0o644)
  for (const target of ['sysinit', 'basic', 'shutdown', 'multi-user', 'network'])
    write(`usr/lib/systemd/system/${target}.target`, `[Unit]\nDescription=${target}\n`, 0o644)
  for (const part of ['sysusers.d', 'tmpfiles.d'])
    cpSync(join(folder, part), join(root, 'usr/lib', part), { recursive: true })
  return root
}

t.test('systemd-analyze verify has nothing to say about the unit', without('systemd-analyze'), async t => {
  const verify = (text: string) =>
    said('systemd-analyze', ['verify', '--man=no', `--root=${device(t, text)}`, 'sonde.service'])
  t.same(verify(unit), { status: 0, text: '' })
  t.match(verify(unit.replace('ProtectHome=', 'ProtectHouse=')).text, /ProtectHouse/, 'it would say')
  t.match(verify(unit.replace('/usr/bin/node', '/usr/bin/nude')), {
    status: 1,
    text: /nude is not executable/,
  })
})

t.test('the exposure of the unit is at most 2.5', without('systemd-analyze'), async t => {
  const { text } = said('systemd-analyze', [
    'security',
    '--offline=true',
    '--no-pager',
    join(folder, 'sonde.service'),
  ])
  const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1])
  t.ok(exposure > 0 && exposure <= 2.5, `it is ${exposure}`)
})

t.test('what the agent relies on is in the unit', async t => {
  t.same(values('CapabilityBoundingSet'), ['CAP_NET_ADMIN', 'CAP_NET_BIND_SERVICE', 'CAP_NET_RAW'])
  t.same(values('AmbientCapabilities'), ['CAP_NET_ADMIN', 'CAP_NET_BIND_SERVICE', 'CAP_NET_RAW'])
  t.same(values('Type'), ['notify'])
  t.same(values('NotifyAccess'), ['all'], 'systemd-notify is a child')
  t.same(values('WatchdogSec'), ['90'])
  t.same([...values('StateDirectory'), ...values('StateDirectoryMode')], ['sonde', '0700'])
  t.same(values('User'), ['sonde'])
  t.same(values('SupplementaryGroups'), ['netdev'], 'for wpa_supplicant on D-Bus')
  t.same(
    values('ReadWritePaths'),
    ['-/proc/sys/net/ipv6/conf', '/proc/sys/net/ipv4/conf'],
    'ARP and IPv6 settings of the tested interfaces, which ProtectKernelTunables would make read-only',
  )
  t.match(unit, /^ExecStart=\/usr\/bin\/node --optimize-for-size .*\/usr\/lib\/sonde\/sonde\.cjs run$/m)
  t.notMatch(unit, /^(MemoryDenyWriteExecute|PrivateNetwork|PrivateUsers)=yes/m, 'these stop the agent')
})

t.test('the user is made as a member of netdev', without('systemd-sysusers'), async t => {
  const { status, text } = said('systemd-sysusers', ['--dry-run', `--root=${device(t)}`])
  t.equal(status, 0, text)
  t.match(text, /Creating user 'sonde'/)
})

const root = process.getuid?.() === 0
const needsRoot = { skip: root ? without('systemd-tmpfiles').skip : 'changing owners needs root' }

t.test('the settings are readable by root and the agent only', needsRoot, async t => {
  const top = device(t)
  mkdirSync(join(top, 'etc/sonde'), { recursive: true })
  writeFileSync(join(top, 'etc/sonde/sonde.json'), '{}', { mode: 0o644 })
  execFileSync('systemd-sysusers', [`--root=${top}`], { stdio: 'ignore' })
  t.same(said('systemd-tmpfiles', ['--create', `--root=${top}`]), { status: 0, text: '' })
  const group = /^sonde:x:(\d+):/m.exec(readFileSync(join(top, 'etc/group'), 'utf8'))?.[1]
  const modes = ['etc/sonde', 'etc/sonde/sonde.json'].map(path =>
    execFileSync('stat', ['-c', '%a %u %g', join(top, path)], { encoding: 'utf8' }).trim(),
  )
  t.same(modes, [`750 0 ${group}`, `640 0 ${group}`])
})
