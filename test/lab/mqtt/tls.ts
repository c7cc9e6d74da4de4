/** A CA and certificates by openssl, for brokers on loopback. */
import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const openssl = async (...args: string[]) => promisify(execFile)('openssl', args)

interface Issuing {
  /** For how long from now it is not valid yet, as faketime takes it, e.g. `+1d`. */
  after?: string
  /** Lines for `-addext`. */
  extensions?: readonly string[]
}

export interface Authority {
  /** Paths. */
  ca: string
  caPem: string
  issue: (name: string, names: string, more?: Issuing) => Promise<{ certificate: string; key: string }>
}

/** @param folder made if missing; `names` are subjectAltName values, e.g. `DNS:localhost,IP:127.0.0.1` */
export async function authority(folder: string): Promise<Authority> {
  await mkdir(folder, { recursive: true })
  const path = (file: string) => join(folder, file)
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  await openssl(
    'req',
    '-x509',
    ...curve,
    '-keyout',
    path('ca.key'),
    '-out',
    path('ca.crt'),
    '-subj',
    '/CN=Lab CA',
  )
  return {
    ca: path('ca.crt'),
    caPem: await readFile(path('ca.crt'), 'utf8'),
    issue: async (name, names, { after = '+0d', extensions = [] } = {}) => {
      const [key, certificate] = [path(`${name}.key`), path(`${name}.crt`)]
      const signer = ['-CA', path('ca.crt'), '-CAkey', path('ca.key')]
      await promisify(execFile)('faketime', [
        ...['-f', after, 'openssl', 'req', '-x509', ...signer, ...curve, '-keyout', key, '-out', certificate],
        ...['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`],
        ...extensions.flatMap(extension => ['-addext', extension]),
      ])
      return { certificate, key }
    },
  }
}
