import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import type { Site } from './site.ts'
import { addresses } from './topology.ts'

export const sharedSecret = 'testing123'

export type RadiusOptions = {
  /** PEM file with the server's certificate and key. */
  server: string
  /** PEM files of the CAs whose client certificates it accepts. */
  clientCa: readonly string[]
  /** PEAP-MSCHAPv2 users and their passwords. */
  users: Readonly<Record<string, string>>
  /** Refuses everybody, right or wrong. */
  rejectAll: boolean
  tlsMin: '1.2' | '1.3'
  tlsMax: '1.2' | '1.3'
}

/** A login as FreeRADIUS logged it. `issuer` and `serial` (hexadecimal) are those of an EAP-TLS client certificate. */
export type Login = { identity: string; accepted: boolean; reason?: string; issuer?: string; serial?: string }

const loginLine =
  /Login (OK|incorrect)(?: \((.*)\))?: \[([^\]/]*)[^\]]*\] \(from client \S+ port \d+(?: cli \S+)?(?: via TLS tunnel)?\)(?: issuer=(.*) serial=(.*))?$/

/** Reads one line of the log; logins inside the PEAP tunnel are left out, since the outer one follows. */
function readLogin(line: string): Login | undefined {
  const match = loginLine.exec(line)
  if (match === null || line.includes('via TLS tunnel')) return undefined
  const [, verdict, reason, identity = '', issuer, serial] = match
  return {
    identity,
    accepted: verdict === 'OK',
    ...(reason === undefined ? {} : { reason }),
    ...(issuer ? { issuer } : {}),
    ...(serial ? { serial } : {}),
  }
}

async function configuration(folder: string, options: RadiusOptions): Promise<string> {
  const users = Object.entries(options.users).map(([name, word]) => `${name} Cleartext-Password := "${word}"`)
  const reject = options.rejectAll ? ['DEFAULT Auth-Type := Reject'] : []
  await writeFile(join(folder, 'users'), [...reject, ...users, ''].join('\n'))
  const trusted = await Promise.all(options.clientCa.map(file => readFile(file, 'utf8')))
  await writeFile(join(folder, 'client-ca.pem'), trusted.join('\n'))
  // Where it comes from may have a space in its path, which this syntax does not take.
  await copyFile(options.server, join(folder, 'server.pem'))
  return `
prefix = /usr
logdir = ${folder}
raddbdir = ${folder}
run_dir = ${folder}
libdir = /usr/lib/freeradius
cleanup_delay = 0
hostname_lookups = no
log {
 destination = stdout
 auth = yes
 msg_goodpass = "issuer=%{TLS-Client-Cert-Issuer} serial=%{TLS-Client-Cert-Serial}"
}
security {
 reject_delay = 0
 allow_core_dumps = no
}
thread pool {
 start_servers = 1
 max_servers = 4
 min_spare_servers = 1
 max_spare_servers = 2
}
client switch {
 ipaddr = ${addresses.authenticator}
 secret = ${sharedSecret}
 require_message_authenticator = yes
}
modules {
 always reject {
  rcode = reject
 }
 files {
  usersfile = ${folder}/users
 }
 mschap {
 }
 eap {
  default_eap_type = tls
  tls-config common {
   private_key_file = ${folder}/server.pem
   certificate_file = ${folder}/server.pem
   ca_file = ${folder}/client-ca.pem
   cipher_list = "DEFAULT"
   tls_min_version = "${options.tlsMin}"
   tls_max_version = "${options.tlsMax}"
   check_crl = no
  }
  tls {
   tls = common
  }
  peap {
   tls = common
   default_eap_type = mschapv2
   virtual_server = inner
  }
  mschapv2 {
  }
 }
}
server default {
 listen {
  type = auth
  ipaddr = ${addresses.radius}
  port = 1812
 }
 authorize {
  files
  eap {
   ok = return
  }
 }
 authenticate {
  eap
 }
 post-auth {
  Post-Auth-Type REJECT {
   eap
  }
 }
}
server inner {
 authorize {
  mschap
  eap {
   ok = return
  }
  files
 }
 authenticate {
  mschap
  eap
 }
}
`
}

/** FreeRADIUS: PEAP-MSCHAPv2 for the enrollment network, EAP-TLS for the tested one. */
export class Radius {
  readonly daemon: Daemon
  readonly #folder: string
  #options: RadiusOptions

  constructor(daemon: Daemon, folder: string, options: RadiusOptions) {
    this.daemon = daemon
    this.#folder = folder
    this.#options = options
  }

  /** No answer any more. */
  async stop(): Promise<void> {
    await this.daemon.stop('SIGKILL')
  }

  async start(): Promise<void> {
    await this.daemon.start()
  }

  /** Restarts it with some options changed. */
  async configure(changes: Partial<RadiusOptions>): Promise<void> {
    this.#options = { ...this.#options, ...changes }
    await this.stop()
    await writeFile(join(this.#folder, 'radiusd.conf'), await configuration(this.#folder, this.#options))
    await this.start()
  }

  logins(): Login[] {
    return this.daemon.output.since(0).flatMap(line => readLogin(line) ?? [])
  }

  /** The next login of `identity` that was accepted, counting from line `since` of the output (default: from the start). */
  async accepted(identity: string, ms = 5_000, since = 0): Promise<Login> {
    return this.#login(identity, true, ms, since)
  }

  async rejected(identity: string, ms = 5_000, since = 0): Promise<Login> {
    return this.#login(identity, false, ms, since)
  }

  async #login(identity: string, accepted: boolean, ms: number, since: number): Promise<Login> {
    const read = (line: string) => {
      const login = readLogin(line)
      return login?.identity === identity && login.accepted === accepted ? login : undefined
    }
    const sentence = `RADIUS ${accepted ? 'accepts' : 'rejects'} ${identity}`
    return this.daemon.find(read, sentence, ms, since)
  }
}

export async function radius(site: Site, options: RadiusOptions): Promise<Radius> {
  const folder = join(site.folder, 'radius')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'radiusd.conf'), await configuration(folder, options))
  const process = await site.daemon({
    name: 'freeradius',
    role: 'backend',
    command: 'freeradius',
    args: ['-f', '-l', 'stdout', '-d', folder, '-n', 'radiusd'],
    ready: /Ready to process requests/,
  })
  return new Radius(process, folder, options)
}
