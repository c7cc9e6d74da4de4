import { X509Certificate, createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import { freshDepot } from './pki.ts'
import type { Site } from './site.ts'
import { addresses } from './topology.ts'

export type ScepOptions = {
  /** Required of every request; empty: none. */
  challenge: string
  /** Days before expiry from which the same subject may have another certificate; 0: always. */
  allowRenew: number
  /** Validity of issued certificates in days. */
  validityDays: number
}

/** A certificate as the server's depot keeps it; `publicKey` is the SHA-256 of its SubjectPublicKeyInfo in hexadecimal. */
export type Issued = { serial: string; subject: string; publicKey: string; pem: string }

const port = 8080

/** Debian's scepserver with a depot of this lab's own. */
export class ScepServer {
  readonly daemon: Daemon
  readonly depot: string
  readonly url = `http://scep.example.org:${port}/scep`
  /** The same by address, for clients that have no resolver. */
  readonly urlByAddress = `http://${addresses.scep}:${port}/scep`

  constructor(daemon: Daemon, depot: string) {
    this.daemon = daemon
    this.depot = depot
  }

  /** The CA's certificate: what EAP-TLS trusts of clients. */
  get ca(): string {
    return join(this.depot, 'ca.pem')
  }

  /** Nobody listens any more: connections are refused. */
  async stop(): Promise<void> {
    await this.daemon.stop('SIGKILL')
  }

  async start(): Promise<void> {
    await this.daemon.start()
  }

  /** Everything issued so far, by serial number. */
  async issued(): Promise<Issued[]> {
    const files = (await readdir(this.depot)).filter(name => name.endsWith('.pem') && name !== 'ca.pem')
    const all = await Promise.all(files.map(name => readFile(join(this.depot, name), 'utf8')))
    const read = all.map(pem => {
      const certificate = new X509Certificate(pem)
      const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
      const publicKey = createHash('sha256').update(spki).digest('hex')
      return { serial: certificate.serialNumber, subject: certificate.subject, publicKey, pem }
    })
    return read.sort((one, other) => Number(BigInt(`0x${one.serial}`) - BigInt(`0x${other.serial}`)))
  }
}

export async function scepServer(site: Site, options: ScepOptions): Promise<ScepServer> {
  const depot = await freshDepot(site.folder)
  const process = await site.daemon({
    name: 'scepserver',
    role: 'backend',
    command: 'scepserver',
    args: [
      ...['-depot', depot, '-port', String(port), '-debug'],
      ...['-allowrenew', String(options.allowRenew), '-crtvalid', String(options.validityDays)],
      ...(options.challenge === '' ? [] : ['-challenge', options.challenge]),
    ],
    ready: /msg=listening/,
  })
  return new ScepServer(process, depot)
}
