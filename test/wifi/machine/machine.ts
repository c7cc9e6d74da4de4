import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cleanEnvironment, confined } from '../../lab/command.ts'
import { atDeath, listenToSignals } from '../../lab/last-resort.ts'
import { checkout } from '../../lab/pki.ts'

export interface MachineOptions {
  /** What test/setup/wifi.mjs prepared. */
  folder: string
  /** A folder for this run alone: /run/job inside. */
  job: string
  /** Run in the machine, in the checkout, as root. Its standard output is `lines`. */
  command: readonly string[]
  /** Simulated radios: wlan0, wlan1, … */
  radios: number
  /** MiB. */
  memory?: number
  /** SIGINT, SIGTERM and SIGHUP end the machine and this process; false for a program that does so itself. */
  signals?: boolean
}

/** Debian's kernel on an emulated processor, this machine's file system under it read-only; it ends with its command. */
export class Machine implements AsyncDisposable {
  readonly #job: string
  readonly #qemu: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #death: Disposable

  constructor(job: string, qemu: ChildProcess) {
    this.#job = job
    this.#qemu = qemu
    this.#ended = once(qemu, 'close')
    this.#death = atDeath(() => qemu.kill('SIGKILL'))
  }

  /** What the command says, line by line, until the machine ends. */
  get lines(): AsyncIterable<string> {
    const { stdout } = this.#qemu
    if (stdout === null) throw new Error('the machine was started without a standard output')
    return createInterface({ input: stdout })
  }

  /** The command's exit code, or undefined when the machine ended without one. */
  async status(): Promise<number | undefined> {
    await this.#ended
    const status = Number.parseInt(await this.#read('status'), 10)
    return Number.isNaN(status) ? undefined : status
  }

  /** Everything that may tell why it went wrong: the kernel's words and the command's standard error. */
  async words(): Promise<string> {
    const [kernel, errors] = await Promise.all([this.#read('console'), this.#read('stderr')])
    return `--- kernel\n${kernel.split('\n').slice(-30).join('\n')}\n--- standard error\n${errors.slice(-8_000)}`
  }

  /** Seconds from power-on until the command began, by the machine's own clock. */
  async bootTime(): Promise<number> {
    return Number(await this.#read('booted'))
  }

  /** At once, as if the plug were pulled. */
  powerOff(): void {
    this.#qemu.kill('SIGKILL')
  }

  async #read(name: string): Promise<string> {
    return readFile(join(this.#job, name), 'utf8').catch(() => '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.powerOff()
    await this.#ended
    this.#death[Symbol.dispose]()
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** What start.sh reads. */
const settings = ({ folder, command, radios }: MachineOptions): string =>
  [
    `MODULES=${quoted(join(folder, 'lib/modules'))}`,
    `BUSYBOX=${quoted(join(folder, 'bin/busybox'))}`,
    `FOLDER=${quoted(checkout())}`,
    `RADIOS=${radios}`,
    `COMMAND=(${command.map(quoted).join(' ')})`,
    '',
  ].join('\n')

/**
 * Emulated (TCG): one processor is faster than two, and what Debian's kernel does for real hardware is left out. The
 * serial line carries the kernel's words alone; the command's output has a virtio port, which an emulated processor
 * feeds a thousand times as fast.
 */
const line = ({ folder, job, memory = 1024 }: MachineOptions): string[] => [
  ...['-accel', 'tcg', '-cpu', 'qemu64,+rdrand', '-smp', '1', '-m', String(memory)],
  ...['-machine', 'q35,smbus=off,sata=off,usb=off,graphics=off', '-bios', '/usr/share/qemu/qboot.rom'],
  ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-rtc', 'base=utc'],
  ...['-kernel', join(folder, 'vmlinux'), '-initrd', join(folder, 'initramfs.cpio')],
  '-append',
  'console=ttyS0 panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check rcupdate.rcu_expedited=1 ' +
    'random.trust_cpu=on audit=0 selinux=0 apparmor=0 quiet',
  ...['-chardev', `file,id=console,path=${join(job, 'console')}`, '-serial', 'chardev:console'],
  ...['-device', 'virtio-serial-pci', '-chardev', 'stdio,id=out,signal=off'],
  ...['-device', 'virtserialport,chardev=out,name=out'],
  ...['-virtfs', 'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap'],
  ...['-virtfs', `local,path=${job},mount_tag=job,security_model=none,multidevs=remap`],
]

/** Powers a machine on. Dispose to end it; it also ends with its command, and with this process. */
export async function powerOn(options: MachineOptions): Promise<Machine> {
  const { job, signals = true } = options
  if (signals) listenToSignals()
  await copyFile(join(checkout(), 'test/wifi/machine/start.sh'), join(job, 'start.sh'))
  await writeFile(join(job, 'settings.sh'), settings(options))
  const [file, args] = confined('qemu-system-x86_64', line(options))
  // Its standard input stays open: the end of it would close the port that the command writes to.
  const qemu = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: cleanEnvironment })
  qemu.stderr.pipe(process.stderr, { end: false })
  return new Machine(job, qemu)
}
