import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Blob, NetworkBlock } from '../../../supplicant/index.ts'
import type { Leaf, Pki } from './pki.ts'

/** The certificates of a run: two PKIs, and leaves that are expired, too early, or somebody else's. */
export interface Credentials {
  folder: string
  root: string
  otherRoot: string
  server: Leaf
  serverExpired: Leaf
  client: Leaf
  clientExpired: Leaf
  clientFuture: Leaf
  clientRogue: Leaf
  /** A file that is no certificate and no key. */
  junk: string
}

const server = { commonName: 'radius.example.org', server: true, names: ['radius.example.org'] }
const client = { commonName: 'sensor1' }

/** Elliptic keys are made at once; RSA ones are what most networks use, and cost more in the handshake. */
export async function credentials(pki: Pki, key: 'ec' | 'rsa' = 'ec'): Promise<Credentials> {
  const [root, otherRoot] = await Promise.all([
    pki.root('root', '/O=Lab/CN=Lab Root CA', key),
    pki.root('rogue', '/O=Rogue/CN=Rogue CA', key),
  ])
  const [SERVER, CLIENT] = [
    { ...server, key },
    { ...client, key },
  ]
  const junk = join(pki.directory, 'junk.pem')
  await writeFile(junk, 'no certificate and no key\n')
  const past = { notBefore: '20200101000000Z', notAfter: '20210101000000Z' }
  return {
    folder: pki.directory,
    root,
    otherRoot,
    junk,
    server: await pki.leaf('server', SERVER),
    serverExpired: await pki.leaf('server-expired', { ...SERVER, ...past }),
    client: await pki.leaf('client', CLIENT),
    clientExpired: await pki.leaf('client-expired', { ...CLIENT, ...past }),
    clientFuture: await pki.leaf('client-future', { ...CLIENT, notBefore: '20440101000000Z' }),
    clientRogue: await pki.leaf('client-rogue', { ...CLIENT, issuer: 'rogue' }),
  }
}

/** A network block for EAP-TLS with this credential, by paths, and whatever shall be different. */
export function tlsBlock(
  all: Credentials,
  change: Partial<NetworkBlock> = {},
  leaf = all.client,
): NetworkBlock {
  return {
    id_str: 'corp:1',
    key_mgmt: 'IEEE8021X',
    eap: 'TLS',
    eapol_flags: 0,
    identity: 'sensor1',
    ca_cert: all.root,
    client_cert: leaf.certificate,
    private_key: leaf.key,
    ...change,
  }
}

/** The same network as the agent hands it over: certificate and CA as blobs, the key as a path. */
export async function tlsBlobs(all: Credentials): Promise<{ block: NetworkBlock; blobs: Blob[] }> {
  const blobs = [
    { name: 'ca-1', bytes: await readFile(all.root) },
    { name: 'cert-1', bytes: await readFile(all.client.certificate) },
  ]
  return { block: tlsBlock(all, { ca_cert: 'blob://ca-1', client_cert: 'blob://cert-1' }), blobs }
}
