import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

/** Runs a command to its end; rejects with its output. */
export const run = promisify(execFile)

/** A child process that ends with its scope. */
export interface Daemon extends AsyncDisposable {
  child: ChildProcess
  /** The last lines it printed, for the report of a failure. */
  log: string[]
  kill(signal: NodeJS.Signals): Promise<void>
}

/** Starts a daemon and waits for the line that says it is ready (null: it says nothing). */
export async function daemon(
  argv: string[],
  ready: RegExp | null,
  env: NodeJS.ProcessEnv = {},
): Promise<Daemon> {
  const [command = '', ...args] = argv
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const log: string[] = []
  const ended = new Promise<void>(resolve => child.once('close', resolve))
  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await ended
  }
  leftovers.add(child)
  void ended.then(() => leftovers.delete(child))
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(
        new Error(
          `${argv.join(' ')} did not print ${String(ready)} within 10 s: ${log.slice(-5).join(' | ')}`,
        ),
      )
    }, 10_000)
    const settle = (error?: Error) => {
      clearTimeout(timer)
      if (error === undefined) resolve()
      else reject(error)
    }
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', line => {
        log.push(line)
        if (log.length > 2_000) log.shift()
        if (ready?.test(line) === true) settle()
      })
    child.once('spawn', () => {
      if (ready === null) settle()
    })
    child.once('error', settle)
    void ended.then(() => {
      settle(new Error(`${argv.join(' ')} ended: ${log.slice(-5).join(' | ')}`))
    })
  })
  return {
    child,
    log,
    kill,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
      await kill('SIGTERM')
      clearTimeout(timer)
    },
  }
}

const leftovers = new Set<ChildProcess>()
const namespaces = new Set<string>()
process.once('exit', () => {
  for (const child of leftovers) child.kill('SIGKILL')
  for (const name of namespaces) execFileSync('ip', ['netns', 'del', name])
})

const BUS = (
  socket: string,
) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>`

/** How hostapd authenticates in this lab: its own EAP server with these files, or a RADIUS server. */
export interface AuthenticatorSettings {
  ca?: string
  certificate?: string
  key?: string
  users?: string
  lines?: string[]
}

/**
 * A sensor and a switch port: two network namespaces joined by a veth pair, a message bus of its own, wpa_supplicant
 * in the sensor's namespace and, when asked for, hostapd at the port. Names are random, so labs run side by side.
 */
export class SupplicantLab implements AsyncDisposable {
  readonly id = randomBytes(3).toString('hex')
  readonly sensor = `sn-${this.id}`
  readonly switch = `sw-${this.id}`
  directory = ''
  #bus: Daemon | undefined
  #supplicant: Daemon | undefined
  #authenticator: Daemon | undefined

  static async start(): Promise<SupplicantLab> {
    const lab = new SupplicantLab()
    try {
      lab.directory = await mkdtemp(join(tmpdir(), 'supplicant-lab-'))
      for (const name of [lab.sensor, lab.switch]) {
        await run('ip', ['netns', 'add', name])
        namespaces.add(name)
      }
      const [near, far] = [`vs${lab.id}`, `vw${lab.id}`]
      await run('ip', ['link', 'add', near, 'type', 'veth', 'peer', 'name', far])
      await run('ip', ['link', 'set', near, 'netns', lab.sensor, 'name', 'eth0'])
      await run('ip', ['link', 'set', far, 'netns', lab.switch, 'name', 'swp1'])
      await run('ip', ['-n', lab.sensor, 'link', 'set', 'eth0', 'up'])
      await run('ip', ['-n', lab.switch, 'link', 'set', 'swp1', 'up'])
      await writeFile(lab.file('bus.conf'), BUS(lab.file('bus')))
      await lab.startBus()
      await lab.startSupplicant()
      return lab
    } catch (error) {
      await lab[Symbol.asyncDispose]()
      throw error
    }
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  get address(): string {
    return `unix:path=${this.file('bus')}`
  }

  /** The `ip` command as it sees the sensor's links. */
  get ip(): string[] {
    return ['ip', '-n', this.sensor]
  }

  get supplicantLog(): string[] {
    return this.#supplicant?.log ?? []
  }

  async startBus(): Promise<void> {
    await rm(this.file('bus'), { force: true })
    this.#bus = await daemon(
      ['dbus-daemon', '--nofork', '--print-address', `--config-file=${this.file('bus.conf')}`],
      /^unix:/,
    )
  }

  async killBus(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#bus?.kill(signal)
  }

  async startSupplicant(): Promise<void> {
    const argv = ['ip', 'netns', 'exec', this.sensor, 'wpa_supplicant', '-u', '-dd', '-t']
    this.#supplicant = await daemon(argv, /Providing DBus service|fi\.w1\.wpa_supplicant1/, {
      DBUS_SYSTEM_BUS_ADDRESS: this.address,
    })
  }

  async killSupplicant(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#supplicant?.kill(signal)
  }

  /** Starts hostapd at the switch port; resolves when it answers EAPOL. */
  async startAuthenticator(settings: AuthenticatorSettings): Promise<void> {
    await writeFile(this.file('users'), settings.users ?? '* TLS\n')
    const own = [
      'eap_server=1',
      `eap_user_file=${this.file('users')}`,
      `ca_cert=${settings.ca ?? ''}`,
      `server_cert=${settings.certificate ?? ''}`,
      `private_key=${settings.key ?? ''}`,
    ]
    const lines = [
      'interface=swp1',
      'driver=wired',
      'ieee8021x=1',
      'eapol_version=2',
      'eap_reauth_period=0',
      'use_pae_group_addr=1',
      `ctrl_interface=${this.file('hostapd')}`,
      ...(settings.ca === undefined ? [] : own),
      ...(settings.lines ?? []),
    ]
    await writeFile(this.file('hostapd.conf'), `${lines.join('\n')}\n`)
    const argv = ['ip', 'netns', 'exec', this.switch, 'hostapd', '-dd', this.file('hostapd.conf')]
    this.#authenticator = await daemon(argv, /AP-ENABLED/)
  }

  async stopAuthenticator(): Promise<void> {
    await this.#authenticator?.[Symbol.asyncDispose]()
  }

  get authenticatorLog(): string[] {
    return this.#authenticator?.log ?? []
  }

  async hostapd(...words: string[]): Promise<string> {
    const { stdout } = await run('ip', [
      'netns',
      'exec',
      this.switch,
      'hostapd_cli',
      '-p',
      this.file('hostapd'),
      '-i',
      'swp1',
      ...words,
    ])
    return stdout
  }

  /** Pulls the cable out at the switch, or puts it back. */
  async cable(state: 'up' | 'down'): Promise<void> {
    await run('ip', ['-n', this.switch, 'link', 'set', 'swp1', state])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#authenticator?.[Symbol.asyncDispose]()
    await this.#supplicant?.[Symbol.asyncDispose]()
    await this.#bus?.[Symbol.asyncDispose]()
    for (const name of [this.sensor, this.switch]) {
      if (namespaces.delete(name)) await run('ip', ['netns', 'del', name])
    }
    if (this.directory !== '') await rm(this.directory, { recursive: true, force: true })
  }
}
