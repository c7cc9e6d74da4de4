import t from 'tap'
import {
  asStored,
  encode,
  fromStored,
  isSame,
  isSecret,
  type NetworkBlock,
  usesEap,
} from '../../../supplicant/block.ts'
import { SupplicantError } from '../../../supplicant/errors.ts'

const wired: NetworkBlock = {
  id_str: 'corp:1',
  key_mgmt: 'IEEE8021X',
  eap: 'TLS',
  eapol_flags: 0,
  identity: 'sensor1',
}

t.test('each key of a network block goes out with the D-Bus type the supplicant wants', async t => {
  const cases: [Partial<NetworkBlock>, string, unknown][] = [
    [{ identity: 'sensor1' }, 's', 'sensor1'],
    [{ eapol_flags: 0 }, 'i', 0],
    [{ ssid: 'café' }, 'ay', Buffer.from('café')],
    [{ ssid: Buffer.from([0, 255]) }, 'ay', Buffer.from([0, 255])],
    [{ psk: 'eight888' }, 's', 'eight888'],
    [{ psk: Buffer.alloc(32, 7) }, 'ay', Buffer.alloc(32, 7)],
  ]
  for (const [part, signature, value] of cases) {
    const key = Object.keys(part)[0] ?? ''
    t.match(encode({ id_str: 'x', key_mgmt: 'NONE', ...part })[key], { signature, value }, key)
  }
})

t.test('a value the supplicant would refuse without saying which is refused here, by name', async t => {
  const cases: [object, RegExp][] = [
    [{ colour: 'red' }, /network block corp:1: colour is no key/],
    [{ id_str: undefined }, /network block: id_str is missing/],
    [{ key_mgmt: undefined }, /network block: key_mgmt is missing/],
    [{ identity: '' }, /identity must not be empty/],
    [{ identity: 'a\nb' }, /identity must not hold control characters/],
    [{ eapol_flags: '0' }, /eapol_flags must be a whole number/],
    [{ eapol_flags: 0.5 }, /eapol_flags must be a whole number/],
    [{ identity: 5 }, /identity must be text/],
    [{ psk: 'short' }, /psk must have 8 to 63 characters/],
    [{ psk: Buffer.alloc(31) }, /psk must be 32 bytes/],
    [{ ca_cert: Buffer.alloc(31) }, /ca_cert must be text/],
    [{ ssid: Buffer.alloc(0) }, /ssid must not be empty/],
  ]
  for (const [part, message] of cases) {
    const error = thrown(() => encode({ ...wired, ...part }))
    t.match(error, { code: 'invalid-block', retry: 'change' })
    t.match(error?.message, message)
  }
})

t.test('an error text never shows a secret', async t => {
  const error = thrown(() => encode({ ...wired, password: 'hunter2\n' }))
  t.notMatch(error?.message, /hunter2/)
  t.ok(['psk', 'password', 'sae_password', 'private_key_passwd', 'new_password'].every(isSecret))
  t.notOk(isSecret('identity'))
})

t.test('what the supplicant gives back is recognised as what was put in', async t => {
  const stored = {
    id_str: '"corp:1"',
    key_mgmt: 'IEEE8021X',
    eap: 'TLS',
    eapol_flags: '0',
    identity: '"sensor1"',
  }
  t.ok(isSame(stored, wired))
  t.notOk(isSame({ ...stored, identity: '"sensor2"' }, wired))
  t.notOk(isSame({ ...stored, identity: '' }, wired))
  t.ok(
    isSame(
      { ...stored, key_mgmt: 'WPA-EAP WPA-EAP-SHA256' },
      { ...wired, key_mgmt: 'WPA-EAP-SHA256 WPA-EAP' },
    ),
  )
  t.notOk(isSame({ ...stored, client_cert: '"/old.pem"' }, wired), 'what is no longer wanted')
  t.notOk(isSame({ ...stored, bssid: '02:00:00:00:00:01' }, wired))
  t.ok(
    isSame({ ...stored, fragment_size: '1398', proto: 'WPA RSN', ca_cert: '' }, wired),
    'defaults are no difference',
  )
  t.equal(asStored('ssid', 'corp'), '"corp"')
  t.equal(asStored('ssid', Buffer.from([0xff])), 'ff')
  t.equal(asStored('psk', Buffer.alloc(2, 1)), '0101')
  t.equal(fromStored('"a "quoted" name"'), 'a "quoted" name')
  t.equal(fromStored('TLS'), 'TLS')
})

t.test('802.1X is meant wherever the key management says EAP or IEEE8021X', async t => {
  t.same(
    ['IEEE8021X', 'WPA-EAP WPA-EAP-SHA256', 'WPA-EAP-SUITE-B-192'].map(value => usesEap({ key_mgmt: value })),
    [true, true, true],
  )
  t.same(
    ['NONE', 'WPA-PSK SAE', 'OWE'].map(value => usesEap({ key_mgmt: value })),
    [false, false, false],
  )
})

function thrown(act: () => unknown): SupplicantError | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    return error instanceof SupplicantError ? error : undefined
  }
}
