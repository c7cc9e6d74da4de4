import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../command.ts'

export interface Leaf {
  /** File paths. */
  certificate: string
  key: string
}

export interface IssueSettings {
  commonName: string
  issuer?: string
  server?: boolean
  /** An intermediate CA. */
  ca?: boolean
  names?: string[]
  notBefore?: string
  notAfter?: string
  digest?: string
  key?: 'ec' | 'rsa'
}

/** CAs and certificates made by openssl for one test run. */
export class Pki implements AsyncDisposable {
  readonly directory: string
  #serial = 0

  private constructor(directory: string) {
    this.directory = directory
  }

  static async create(): Promise<Pki> {
    return new Pki(await mkdtemp(join(tmpdir(), 'supplicant-pki-')))
  }

  file(name: string): string {
    return join(this.directory, name)
  }

  async key(name: string, kind: 'ec' | 'rsa' = 'ec'): Promise<string> {
    const options =
      kind === 'ec'
        ? ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256']
        : ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048']
    await run('openssl', ['genpkey', '-algorithm', ...options, '-out', this.file(`${name}.key`)])
    return this.file(`${name}.key`)
  }

  /** A root: `NAME.pem` and `NAME.key`; gives the path of the certificate. */
  async root(name: string, subject: string, kind: 'ec' | 'rsa' = 'ec'): Promise<string> {
    const key = await this.key(name, kind)
    const out = this.file(`${name}.pem`)
    const usage = [
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    ]
    await run('openssl', [
      'req',
      '-x509',
      '-new',
      '-key',
      key,
      '-subj',
      subject,
      '-days',
      '3650',
      '-out',
      out,
      ...usage,
    ])
    return out
  }

  async leaf(name: string, settings: IssueSettings): Promise<Leaf> {
    const { issuer = 'root', server = false, ca = false, names = [] } = settings
    const key = await this.key(name, settings.key)
    const usage = ca
      ? ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
      : ['basicConstraints=CA:FALSE', `extendedKeyUsage=${server ? 'serverAuth' : 'clientAuth'}`]
    if (names.length > 0) usage.push(`subjectAltName=${names.map(value => `DNS:${value}`).join(',')}`)
    const database = this.file(`db-${String((this.#serial += 1))}`)
    const lines = `[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=${this.directory}\ndatabase=${database}\nrand_serial=yes\n`
    const policy = `default_md=${settings.digest ?? 'sha256'}\npolicy=p\nunique_subject=no\nx509_extensions=x\n[p]\ncommonName=supplied\n`
    await writeFile(database, '')
    await writeFile(this.file(`${name}.cnf`), `${lines}${policy}[x]\n${usage.join('\n')}\n`)
    await run('openssl', [
      'req',
      '-new',
      '-key',
      key,
      '-subj',
      `/CN=${settings.commonName}`,
      '-out',
      this.file(`${name}.csr`),
    ])
    const dates = [
      '-startdate',
      settings.notBefore ?? '20200101000000Z',
      '-enddate',
      settings.notAfter ?? '20450101000000Z',
    ]
    const by = ['-cert', this.file(`${issuer}.pem`), '-keyfile', this.file(`${issuer}.key`)]
    const to = ['-in', this.file(`${name}.csr`), '-out', this.file(`${name}.pem`)]
    await run('openssl', [
      'ca',
      '-batch',
      '-notext',
      '-config',
      this.file(`${name}.cnf`),
      ...by,
      ...dates,
      ...to,
    ])
    return { certificate: this.file(`${name}.pem`), key }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}
