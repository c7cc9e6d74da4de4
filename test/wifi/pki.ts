import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../lab/command.ts'
import { checkout } from '../lab/pki.ts'

const cache = join(checkout(), 'node_modules/.cache/sonde-wifi')
const folder = join(cache, 'p384-1')

/** A PKI of P-384 keys, which 192-bit security asks for; everything else takes the laboratory's own. */
export const p384 = {
  root: join(folder, 'root.pem'),
  server: { certificate: join(folder, 'server.pem'), key: join(folder, 'server.key') },
  client: { certificate: join(folder, 'client.pem'), key: join(folder, 'client.key') },
} as const

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1', '-nodes', '-sha384']

async function leaf(cwd: string, name: string, commonName: string, usage: string): Promise<void> {
  const request = ['req', '-new', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`]
  await run('openssl', [...request, '-subj', `/O=Lab/CN=${commonName}`], { cwd })
  const extensions = [
    ...['basicConstraints=CA:FALSE', 'keyUsage=digitalSignature', `extendedKeyUsage=${usage}`],
    `subjectAltName=DNS:${commonName}`,
  ]
  await writeFile(join(cwd, `${name}.cnf`), `${extensions.join('\n')}\n`)
  const signed = ['-CA', 'root.pem', '-CAkey', 'root.key', '-CAcreateserial', '-sha384', '-days', '3650']
  const files = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.cnf`]
  await run('openssl', ['x509', '-req', ...files, ...signed], { cwd })
}

/** Makes it once per checkout, outside of the virtual machine, where keys cost less. */
export async function makeP384(): Promise<void> {
  if (existsSync(folder)) return
  await mkdir(cache, { recursive: true })
  const draft = await mkdtemp(`${folder}-`)
  const root = ['-x509', ...newKey, '-keyout', 'root.key', '-out', 'root.pem', '-days', '3650']
  const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
  await run(
    'openssl',
    ['req', ...root, '-subj', '/O=Lab/CN=Lab P-384 Root', ...extensions.flatMap(text => ['-addext', text])],
    { cwd: draft },
  )
  await leaf(draft, 'server', 'radius.example.org', 'serverAuth')
  await leaf(draft, 'client', 'sensor1.example.org', 'clientAuth')
  await rename(draft, folder).catch(async () => {
    await rm(draft, { recursive: true }) // somebody else was faster
  })
}
