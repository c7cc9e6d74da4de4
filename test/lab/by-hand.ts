import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import { challenge, peapUser } from './documents.ts'
import type { Lab } from './lab.ts'

/** The main job's pieces as a person would type them, without the agent: they prove the lab. */

export type Identity = { certificate: string; key: string; name: string }

function block(lab: Lab, method: 'PEAP' | Identity): string {
  const login =
    method === 'PEAP'
      ? `eap=PEAP
  phase2="auth=MSCHAPV2"
  identity="${peapUser.identity}"
  password="${peapUser.password}"`
      : `eap=TLS
  identity="${method.name}"
  client_cert="${method.certificate}"
  private_key="${method.key}"`
  return `ctrl_interface=${join(lab.site.folder, 'wpa')}
ap_scan=0
network={
  key_mgmt=IEEE8021X
  eapol_flags=0
  ca_cert="${lab.pki.root}"
  ${login}
}
`
}

/** wpa_supplicant with a static network block, and `logon` at associated, which spares the 2 s before the first EAPOL-Start. */
export async function join8021X(lab: Lab, method: 'PEAP' | Identity, port = 'eth0'): Promise<Daemon> {
  const file = join(lab.site.folder, 'by-hand.conf')
  await writeFile(file, block(lab, method))
  const started = await lab.site.daemon({
    name: `by-hand-${lab.site.daemons.length}`,
    role: 'sensor',
    command: 'wpa_supplicant',
    args: ['-Dwired', `-i${port}`, `-c${file}`],
    ready: /Associated with/,
  })
  await logon(lab, port)
  return started
}

/** `wpa_cli logon`: EAPOL-Start goes out at once. */
export async function logon(lab: Lab, port = 'eth0'): Promise<void> {
  await lab.exec('sensor', 'wpa_cli', ['-p', join(lab.site.folder, 'wpa'), '-i', port, 'logon'])
}

/** udhcpc's lease on an interface; the address replaces the one before it. Rejects when none comes within 2 s. */
export async function lease(lab: Lab, port = 'eth0'): Promise<void> {
  const script = join(lab.site.folder, 'udhcpc.sh')
  await writeFile(
    script,
    `#!/bin/sh
case $1 in bound|renew)
  ip addr flush dev $interface scope global
  ip addr add $ip/$mask dev $interface
  ip route replace 10.55.0.0/24 via $router dev $interface;;
esac
`,
    { mode: 0o755 },
  )
  await lab.exec('sensor', 'udhcpc', ['-i', port, '-n', '-f', '-q', '-t', '2', '-T', '1', '-s', script])
}

/** A certificate by Debian's scepclient, with a key it makes itself. It leaves its request beside the key: a folder for each. */
export async function enroll(lab: Lab, name: string): Promise<Identity> {
  const folder = join(lab.site.folder, `by-hand-${name}`)
  await mkdir(folder)
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  await lab.exec('sensor', 'scepclient', [
    ...['-server-url', lab.scep.urlByAddress, '-challenge', challenge, '-cn', name],
    ...['-private-key', key, '-certificate', certificate],
  ])
  return { certificate, key, name }
}
