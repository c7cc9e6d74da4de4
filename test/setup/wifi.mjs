/**
 * `node test/setup/wifi.mjs`: prepares the virtual machine of test/wifi, once: Debian's own kernel, downloaded and
 * unpacked but never installed, and a small initramfs that reaches this machine's file system. Writes the folder to
 * standard output and ends with 0, or writes why this machine cannot and ends with 69 (EX_UNAVAILABLE).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { passSignals, run } from './children.mjs'
import { SetupError, installPackages } from './debian.mjs'
import { packages, wifiPackages } from './packages.mjs'
import { top } from './prepare.mjs'

/** Raise it when what is made here changes: older folders are then ignored. */
const recipe = 2
const cache = fileURLToPath(new URL('node_modules/.cache/sonde-wifi/', top))
const folder = join(cache, `machine-${recipe}`)

/** What the machine needs of the kernel's modules, to unpack 30 MB instead of 400. */
const modules = [
  ...['arch', 'crypto', 'lib', 'net/9p', 'net/802', 'net/bridge', 'net/llc', 'net/mac80211', 'net/netfilter'],
  ...['net/ipv4', 'net/ipv6', 'net/packet', 'net/rfkill', 'net/wireless', 'fs/9p', 'fs/fscache', 'fs/netfs'],
  ...[
    'fs/overlayfs',
    'drivers/char',
    'drivers/virtio',
    'drivers/net/veth.ko',
    'drivers/net/wireless/mac80211*',
  ],
]

/** Modules without which the root file system and the way out cannot be reached. */
const first = ['virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_console']

const command = async (name, args, options = {}) => {
  const { code, output } = await run(name, args, { capture: true, ...options })
  if (code !== 0) throw new SetupError(`${name} ${args.join(' ')} failed:\n${output.slice(-10).join('\n')}`)
  return output
}

/** `run` has no working directory of its own, and apt-get downloads into the present one. */
const inFolder = (where, name, args) => command('env', ['-C', where, name, ...args])

const kernelPackage = async () => {
  const look = async () => {
    const { output } = await run('apt-cache', ['depends', 'linux-image-amd64'], { capture: true })
    return output.map(line => /Depends: (linux-image-[0-9]\S*)/.exec(line)?.[1]).find(Boolean)
  }
  const known = await look()
  if (known !== undefined) return known
  await command('apt-get', ['-qq', 'update'])
  const name = await look()
  if (name === undefined) throw new SetupError('Debian has no linux-image-amd64 here')
  return name
}

/** The package lists may be older than the archive: then they are fetched once more. */
const download = async (where, names) => {
  const args = ['-qq', '-o', 'APT::Sandbox::User=root', 'download', ...names]
  const { code } = await run('env', ['-C', where, 'apt-get', ...args], { capture: true })
  if (code === 0) return
  await command('apt-get', ['-qq', 'update'])
  await inFolder(where, 'apt-get', args)
}

/** `dpkg-deb --fsys-tarfile | tar`, of the named members only. */
const unpack = async (where, archive, members) => {
  const script = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$0" --wildcards "${@:2}"'
  await command('bash', ['-o', 'pipefail', '-c', script, where, archive, ...members])
}

/**
 * The kernel proper out of Debian's bzImage (Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length):
 * an emulated processor would spend five seconds on unpacking it at every start.
 */
const extractKernel = async (image, target) => {
  const bytes = readFileSync(image)
  const start = (bytes.readUInt8(0x1f1) + 1) * 512 + bytes.readUInt32LE(0x248)
  const payload = bytes.subarray(start, start + bytes.readUInt32LE(0x24c))
  const xz = spawn('xz', ['--decompress', '--stdout', '--single-stream'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const written = once(xz.stdout.pipe(createWriteStream(target)), 'finish')
  xz.stdin.on('error', () => {}) // its end is judged below
  xz.stdin.end(payload)
  await Promise.all([written, once(xz, 'exit')])
  if (readFileSync(target).subarray(0, 4).toString('latin1') !== '\x7fELF')
    throw new SetupError(`no ELF kernel in ${basename(image)}`)
}

const makeInitramfs = async (where, version, busybox) => {
  const tree = join(where, 'initramfs')
  for (const name of ['bin', 'modules', 'proc', 'sys', 'dev', 'lower', 'upper', 'whole'])
    await mkdir(join(tree, name), { recursive: true })
  await copyFile(busybox, join(tree, 'bin/busybox'))
  await copyFile(new URL('wifi-init.sh', import.meta.url), join(tree, 'init'))
  const files = new Set()
  for (const name of first)
    for (const line of await command('modprobe', ['-d', where, '-S', version, '--show-depends', name]))
      if (line.startsWith('insmod ')) files.add(line.split(' ')[1])
  for (const file of files) await copyFile(file, join(tree, 'modules', basename(file)))
  await writeFile(join(tree, 'modules/order'), [...files].map(file => `${basename(file)}\n`).join(''))
  const pack = `cd "$0" && chmod 755 init bin/busybox && find . | ./bin/busybox cpio -o -H newc > ../initramfs.cpio`
  await command('bash', ['-c', pack, tree])
  rmSync(tree, { recursive: true })
}

const make = async say => {
  const draft = `${folder}.${process.pid}`
  mkdirSync(draft, { recursive: true })
  try {
    const kernel = await kernelPackage()
    const version = kernel.replace('linux-image-', '')
    say(`downloading ${kernel} for a virtual machine (not installed)`)
    await download(draft, [kernel, 'busybox-static'])
    await inFolder(draft, 'bash', [
      '-c',
      `mv ${kernel}_*.deb kernel.deb && mv busybox-static_*.deb busybox.deb`,
    ])
    const wanted = modules.map(name => `./lib/modules/*/kernel/${name}*`)
    await unpack(draft, join(draft, 'kernel.deb'), [
      './boot/vmlinuz-*',
      './lib/modules/*/modules.*',
      ...wanted,
    ])
    await unpack(draft, join(draft, 'busybox.deb'), ['./bin/busybox'])
    await command('depmod', ['-b', draft, version])
    await extractKernel(join(draft, `boot/vmlinuz-${version}`), join(draft, 'vmlinux'))
    await makeInitramfs(draft, version, join(draft, 'bin/busybox'))
    for (const name of ['kernel.deb', 'busybox.deb', 'boot']) rmSync(join(draft, name), { recursive: true })
    if (existsSync(folder)) return // somebody else was faster
    renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

const unavailable = () => {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `the virtual machine is prepared for amd64 Linux, this is ${process.arch} ${process.platform}`
  if (process.getuid() !== 0) return 'the virtual machine needs root'
  return undefined
}

passSignals(() => process.exit(130))
try {
  const reason = unavailable()
  if (reason !== undefined) throw new SetupError(reason)
  const say = line => process.stderr.write(`${line}\n`)
  await installPackages([...packages, ...wifiPackages], say)
  if (!existsSync(folder)) await make(say)
  process.stdout.write(`${folder}\n`)
  process.exit(0)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stdout.write(`${error.message.split('\n').join(' ')}\n`)
  process.exit(69)
}
