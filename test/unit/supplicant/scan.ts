import t from 'tap'
import { bssOf } from '../../../supplicant/scan.ts'

const element = (id: number, hex: string): Buffer =>
  Buffer.concat([Buffer.from([id, hex.length / 2]), Buffer.from(hex, 'hex')])

/** RSN with CCMP, the given key management suites and capabilities. */
function rsn(suites: number[], capabilities: number): Buffer {
  const le = (value: number): string => Buffer.from([value & 255, value >> 8]).toString('hex')
  const management = suites.map(suite => `000fac${suite.toString(16).padStart(2, '0')}`).join('')
  return element(48, `0100000fac040100000fac04${le(suites.length)}${management}${le(capabilities)}`)
}

const wpa = element(221, '0050f20101000050f20201000050f20201000050f202')

t.test('a BSS is told from its properties: name, band, signal, security', async t => {
  const cases: [string, Record<string, unknown>, object][] = [
    ['WPA2-PSK', { Privacy: true, IEs: rsn([2], 0) }, { security: ['wpa-psk'], pmf: 'none' }],
    ['WPA2/3', { Privacy: true, IEs: rsn([2, 8], 0x80) }, { security: ['wpa-psk', 'sae'], pmf: 'optional' }],
    ['WPA3-Enterprise', { IEs: rsn([5], 0xc0) }, { security: ['wpa-eap-sha256'], pmf: 'required' }],
    ['OWE', { IEs: rsn([18], 0xc0) }, { security: ['owe'], pmf: 'required' }],
    ['a suite nobody knows', { IEs: rsn([77], 0) }, { security: ['000fac4d'] }],
    ['OWE transition', { IEs: element(221, '506f9a1c') }, { security: ['open', 'owe-transition'] }],
    [
      'OWE transition, with the name of the other one',
      { IEs: element(221, `506f9a1c02000000000103${Buffer.from('owe').toString('hex')}`) },
      { security: ['open', 'owe-transition'], partner: Buffer.from('owe') },
    ],
    [
      'OWE transition, cut off',
      { IEs: element(221, '506f9a1c0200000000010961') },
      { security: ['open', 'owe-transition'], partner: undefined },
    ],
    [
      'WPA and WPA2',
      { IEs: Buffer.concat([rsn([2], 0), wpa]) },
      { security: ['wpa', 'wpa-psk'], pmf: 'none' },
    ],
    ['cut off', { IEs: rsn([2], 0).subarray(0, 9) }, { security: ['open'], pmf: 'none' }],
    ['cut off within', { IEs: element(48, '0100000fac04') }, { security: ['open'], pmf: 'none' }],
    ['open', { Privacy: false }, { security: ['open'] }],
    ['WEP', { Privacy: true }, { security: ['wep'] }],
    ['WPA of old', { Privacy: true, IEs: wpa }, { security: ['wpa'] }],
    ['text', { SSID: Buffer.from('café') }, { name: 'café' }],
    ['bytes', { SSID: Buffer.from([0xff, 1]) }, { name: 'ff01' }],
    ['hidden', { SSID: Buffer.alloc(6) }, { name: '' }],
    [
      'radio',
      { BSSID: Buffer.from('020000000001', 'hex'), Frequency: 5180, Signal: -47, Age: 3 },
      { bssid: '02:00:00:00:00:01', frequency: 5180, signal: -47, age: 3 },
    ],
    ['nothing', {}, { bssid: '', name: '', security: ['open'], signal: 0 }],
  ]
  for (const [name, properties, expected] of cases)
    t.match(bssOf('/b', properties), { path: '/b', ...expected }, name)
})
