/** What leaves the sensor, and in which wrapping. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../command.ts'
import { challenge, documents, peapUser } from '../documents.ts'
import { raise, type Lab } from '../lab.ts'
import { Capture } from './capture.ts'
import { folderOf, isWhole, openssl } from './credential.ts'
import { publish, tested } from './scene.ts'

/** The body of the PKCSReq, as it passed the wire. */
function pkcsReq(capture: Capture): Buffer {
  for (const stream of capture.sentTo(8080)) {
    const start = stream.indexOf('POST ')
    if (start < 0) continue
    const body = stream.indexOf('\r\n\r\n', start) + 4
    const length = Number(/content-length: (\d+)/i.exec(stream.toString('latin1', start, body))?.[1])
    return stream.subarray(body, body + length)
  }
  throw new Error('no POST was captured')
}

/** The request inside the pkiMessage, opened by openssl with the CA's own key: PEM. */
async function requestInside(lab: Lab, message: Buffer): Promise<string> {
  const file = (name: string): string => join(lab.site.folder, name)
  await writeFile(file('message.der'), message)
  await openssl(
    ...['cms', '-verify', '-noverify', '-inform', 'DER', '-in', file('message.der'), '-binary'],
    ...['-out', file('envelope.der')],
  )
  const key = ['-inkey', join(lab.scep.depot, 'ca.key'), '-passin', 'pass:']
  await openssl(
    ...['cms', '-decrypt', '-inform', 'DER', '-in', file('envelope.der'), '-binary', ...key],
    ...['-recip', lab.scep.ca, '-out', file('request.der')],
  )
  return openssl('req', '-inform', 'DER', '-in', file('request.der'))
}

t.test(
  'S1-37, S1-38, S1-39: the request is signed by the private key, and lies with the challenge in an envelope for the CA alone',
  async t => {
    await using lab = await raise(t)
    const port = await Capture.on(lab, 'eth0')
    const management = await Capture.on(lab, 'eth1')
    const sensor = await lab.sensor({ settings: { logLevel: 'trace' } })
    await publish(lab, await documents(lab))
    await tested(sensor)
    const issued = await isWhole(t, sensor, await lab.scep.issued())

    const pem = await requestInside(lab, pkcsReq(port))
    await writeFile(join(lab.site.folder, 'request.pem'), pem)
    const request = await openssl(
      'req',
      '-in',
      join(lab.site.folder, 'request.pem'),
      '-noout',
      '-text',
      '-verify',
    )
    t.match(request, /challengePassword\s*:\s*lab-challenge/, 'the challenge password is inside the request')
    const asked = await openssl('req', '-in', join(lab.site.folder, 'request.pem'), '-noout', '-pubkey')
    const own = await openssl(
      'x509',
      '-in',
      join(folderOf(sensor), 'current/certificate.pem'),
      '-noout',
      '-pubkey',
    )
    t.equal(asked, own, 'the request carries the key that the certificate has')

    const key = join(folderOf(sensor), 'current/key.pem')
    const der = join(lab.site.folder, 'key.der')
    await openssl('pkey', '-in', key, '-outform', 'DER', '-out', der)
    const modulusText = await openssl('rsa', '-in', key, '-noout', '-text')
    const prime = /prime1:([\s0-9a-f:]+)prime2/.exec(modulusText)?.[1]?.replaceAll(/[\s:]/g, '') ?? ''
    const primeBytes = Buffer.from(prime, 'hex').subarray(-64)
    t.equal(primeBytes.length, 64)
    t.ok((await readFile(der)).includes(primeBytes), 'a prime of the key, as it is in the key file')

    const blobs = await blobsOf(lab)
    t.ok(
      blobs.includes(issued?.pem.trim() ?? 'none'),
      'S1-08: the certificate is installed in the supplicant',
    )
    const said = await everythingSaid(lab, blobs)
    const body = (await readFile(key, 'utf8')).split('\n')[5] ?? '' // a line from its middle
    for (const [what, text] of Object.entries({ challenge, password: peapUser.password, key: body })) {
      t.notOk(port.has(Buffer.from(text)), `the ${what} is not on the wire of the port`)
      if (what === 'key') t.notOk(management.has(Buffer.from(text)), 'the key is not on the management wire')
      for (const [where, content] of said) t.notOk(content.includes(text), `the ${what} is not in ${where}`)
    }
    t.notOk(port.has(primeBytes), 'nor is the key there in another form')
  },
)

/** Logs of the sensor's side, all it published, and what any program on the bus may read out of the supplicant. */
async function everythingSaid(lab: Lab, blobs: string): Promise<[string, string][]> {
  const logs = ['sensor-1.log', 'wpa_supplicant.log', 'mosquitto.log']
  const published = lab.operator.messages
    .since(0)
    .filter(({ topic }) => /\/(reported|events|presence|replies)$/.test(topic))
  return [
    ...(await Promise.all(
      logs.map(async (log): Promise<[string, string]> => [
        log,
        await readFile(join(lab.site.folder, log), 'utf8'),
      ]),
    )),
    ['the messages of the sensor', JSON.stringify(published)],
    ['the blobs of the supplicant', blobs],
  ]
}

/** Every blob, by another program on the bus. */
async function blobsOf(lab: Lab): Promise<string> {
  const busctl = (...args: string[]): Promise<string> =>
    run('busctl', [`--address=${lab.bus.address}`, ...args])
  const service = 'fi.w1.wpa_supplicant1'
  const tree = await busctl('get-property', service, '/fi/w1/wpa_supplicant1', service, 'Interfaces')
  const path = /"([^"]+)"/.exec(tree)?.[1] ?? ''
  const blobs = await busctl('get-property', service, path, `${service}.Interface`, 'Blobs')
  const names = [...blobs.matchAll(/"([^"]+)"/g)].map(match => match[1] ?? '')
  const contents = names.map(async name => {
    const bytes = await busctl('call', service, path, `${service}.Interface`, 'GetBlob', 's', name)
    return Buffer.from(bytes.split(' ').slice(2).map(Number)).toString('latin1')
  })
  return (await Promise.all(contents)).join('\n')
}
