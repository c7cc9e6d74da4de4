/** The tests' own SCEP server in a laboratory, beside Debian's: see scep-main.ts. */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import type { Daemon } from '../daemon.ts'
import type { Lab } from '../lab.ts'
import { checkout } from '../pki.ts'
import { addresses } from '../topology.ts'

export type Misdeed =
  | ('pending' | 'refused' | 'too-early' | 'wrong-chain' | 'fault' | 'held')
  /** Certificates that are not what was asked for. */
  | ('other-names' | 'expired' | 'not-yet' | 'shorter' | 'the-same' | 'another-key')
  /** More than SCEP allows, and half a reply. */
  | ('huge' | 'cut-off')

export interface Instruction {
  /** Seconds from now until notAfter, and before now of notBefore, of what is issued from now on. */
  validity?: number
  backdate?: number
  challenge?: string | null
  /** The keywords of GetCACaps. */
  caps?: string
  /** What is answered to the next pkiMessages, one each; what was to be answered before is forgotten. */
  answers?: Misdeed[]
  /** The replies that were held leave. */
  release?: true
  /**
   * A policy CA below the root, an issuing CA and an RA below that, and days that are left of each and of the RADIUS server's certificate; only at
   * the start. RADIUS trusts the root alone, so that the sensor has to send the CAs between.
   */
  ending?: { root: number; ca: number; ra: number; server: number }
  /** The next CA is not offered yet. */
  withholdNext?: boolean
  /** The next CA takes over, or the present one is back. */
  switchOver?: boolean
  /** Seconds by which the HTTP Date is off. */
  dateOff?: number
  /** Named as CRL distribution point in what is issued from now on. */
  crl?: string
  /** Everything issued so far goes on the CRL. */
  revokeAll?: true
}

export interface ScepArguments {
  host: string
  port: number
  /** Where the certificates are to be written, PEM: of the CAs, and of the RADIUS server as each CA issues it. */
  files: Record<'present' | 'next' | 'issuing' | 'server' | 'nextServer', string>
  first: Instruction
}

export type ServerNews =
  | { event: 'listening' | 'obeyed' }
  /** `signer` is the fingerprint of the certificate it was signed with. */
  | { event: 'message'; messageType: string; transactionID: string; challenge: boolean; signer: string }
  | { event: 'issued'; pem: string }

type Message = Extract<ServerNews, { event: 'message' }>

const port = 8081

export class OwnScepServer {
  readonly url = `http://scep.example.org:${String(port)}/scep`
  readonly crlUrl = `http://scep.example.org:${String(port)}/scep`
  readonly daemon: Daemon
  /** PEM files of the CA in force and of the one after it. */
  readonly ca: string
  readonly nextCa: string
  /** PEM file of the CA that issues, where `ending` puts others above it. */
  readonly issuingCa: string
  /** PEM files of a RADIUS server's certificate and key, issued by each. */
  readonly radius: { present: string; next: string }

  constructor(daemon: Daemon, files: ScepArguments['files']) {
    this.daemon = daemon
    this.ca = files.present
    this.nextCa = files.next
    this.issuingCa = files.issuing
    this.radius = { present: files.server, next: files.nextServer }
  }

  /** In force when this resolves. */
  async tell(instruction: Instruction): Promise<void> {
    const since = this.daemon.output.end
    this.daemon.write(`${JSON.stringify(instruction)}\n`)
    await this.daemon.waitFor(/"obeyed"/, 'the SCEP server does as told', 10_000, since)
  }

  get news(): ServerNews[] {
    return this.daemon.output
      .since(0)
      .flatMap(line => (line.startsWith('{') ? [JSON.parse(line) as ServerNews] : []))
  }

  /** The pkiMessages received so far. */
  get messages(): Message[] {
    return this.news.flatMap(news => (news.event === 'message' ? [news] : []))
  }

  get issued(): X509Certificate[] {
    return this.news.flatMap(news => (news.event === 'issued' ? [new X509Certificate(news.pem)] : []))
  }
}

/** Raises it, and has RADIUS accept what it issues. Its certificates live a day unless told. */
export async function ownScepServer(lab: Lab, first: Instruction = {}): Promise<OwnScepServer> {
  const file = (name: string): string => join(lab.site.folder, name)
  const files = {
    ...{ present: file('own-ca.pem'), next: file('own-next-ca.pem'), issuing: file('own-issuing-ca.pem') },
    ...{ server: file('own-radius.pem'), nextServer: file('own-next-radius.pem') },
  }
  const told: ScepArguments = { host: addresses.scep, port, files, first }
  const daemon = await lab.site.daemon({
    name: 'own-scep',
    role: 'backend',
    command: process.execPath,
    args: [
      ...['--import', join(checkout(), 'test/setup/typescript.mjs')],
      join(checkout(), 'test/lab/lifecycle/scep-main.ts'),
      JSON.stringify(told),
    ],
    ready: /"listening"/,
    deadlineMs: 30_000,
  })
  await lab.radius.configure({ clientCa: [lab.scep.ca, files.present, files.next] })
  return new OwnScepServer(daemon, files)
}
