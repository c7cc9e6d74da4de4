import t from 'tap'
import { bssOf } from '../../../supplicant/scan.ts'

t.test('a BSS is told from its properties: name, band, signal, security', async t => {
  const rsn = (...names: string[]) => ({ KeyMgmt: names, Pairwise: ['ccmp'], Group: 'ccmp', MgmtGroup: '' })
  const cases: [string, Record<string, unknown>, object][] = [
    ['WPA2-PSK', { Privacy: true, RSN: rsn('wpa-psk'), WPA: {} }, { security: ['wpa-psk'], pmf: false }],
    [
      'WPA2/3',
      { Privacy: true, RSN: { ...rsn('wpa-psk', 'sae'), MgmtGroup: 'aes128cmac' } },
      { security: ['wpa-psk', 'sae'], pmf: true },
    ],
    ['open', { Privacy: false }, { security: ['open'] }],
    ['WEP', { Privacy: true }, { security: ['wep'] }],
    ['WPA of old', { Privacy: true, WPA: rsn('wpa-psk') }, { security: ['wpa'] }],
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
