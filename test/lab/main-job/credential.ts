/** What openssl and the file system say of a credential on the sensor's disk. */
import { readdir, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from '../command.ts'
import type { Issued } from '../scep-server.ts'
import type { Sensor } from '../sensor.ts'

export const openssl = (...args: string[]): Promise<string> => run('openssl', args)

export const folderOf = (sensor: Sensor, network = 'corp'): string =>
  join(sensor.state, 'credentials', 'dot1x', network)

/** The credential in force is complete, private, and one of those that the server issued; returns which. */
export async function isWhole(
  t: Test,
  sensor: Sensor,
  issued: readonly Issued[],
  network = 'corp',
): Promise<Issued | undefined> {
  const folder = folderOf(sensor, network)
  const generation = join(folder, await readlink(join(folder, 'current')))
  const at = (name: string): string => join(generation, name)
  const [ofKey, ofCertificate, serial] = await Promise.all([
    openssl('pkey', '-in', at('key.pem'), '-pubout'),
    openssl('x509', '-in', at('certificate.pem'), '-noout', '-pubkey'),
    openssl('x509', '-in', at('certificate.pem'), '-noout', '-serial'),
  ])
  t.equal(ofKey, ofCertificate, 'the key is that of the certificate')
  const found = issued.find(one => `serial=${one.serial}` === serial.trim())
  t.ok(found, 'the server issued it')
  const modes = await Promise.all(
    [at('key.pem'), generation, sensor.state].map(async path =>
      ((await stat(path)).mode & 0o777).toString(8),
    ),
  )
  t.strictSame(modes, ['600', '700', '700'], 'nobody else can read the key')
  const names = await readdir(folder)
  const left = names.filter(name => name === 'open' || name === 'candidate' || name.endsWith('.new'))
  t.strictSame(left, [], 'nothing is left half done')
  return found
}
