/**
 * The Debian packages that the tests and the demonstration run on, and the units that Debian enables
 * when it installs them: the setup disables those again, so that a machine that has run the tests does
 * not start a RADIUS server at its next boot.
 */
export const packages = [
  { name: 'wpasupplicant', units: ['wpa_supplicant.service'] },
  { name: 'hostapd', units: ['hostapd.service'] },
  { name: 'freeradius', units: ['freeradius.service'] },
  { name: 'mosquitto', units: ['mosquitto.service'] },
  { name: 'mosquitto-clients' },
  { name: 'dnsmasq-base' },
  { name: 'nats-server', units: ['nats-server.service'] },
  { name: 'udhcpc' },
  { name: 'scep' },
  { name: 'nftables' },
  { name: 'iputils-ping' },
  { name: 'iproute2' },
  { name: 'dbus' },
  { name: 'faketime' },
  { name: 'openssl' },
  { name: 'procps' },
  { name: 'python3' },
  { name: 'systemd' },
]

/** For the virtual machine with simulated radios of test/wifi, which installs them itself. */
export const wifiPackages = [
  { name: 'qemu-system-x86' },
  { name: 'kmod' },
  { name: 'xz-utils' },
  { name: 'iw' },
  { name: 'wireless-regdb' },
]

/** Installed by extra.mjs; what is there already is not touched. */
export const extraPackages = {
  /** The peer of `npm run bench -- join`. */
  'network-manager': [
    {
      name: 'network-manager',
      units: [
        'NetworkManager.service',
        'NetworkManager-dispatcher.service',
        'NetworkManager-wait-online.service',
      ],
    },
  ],
  /** A broker of test/long/mqtt.test.ts: `npm run test:long` installs it, with 40 MB of Erlang. */
  rabbitmq: [
    { name: 'rabbitmq-server', units: ['rabbitmq-server.service'] },
    { name: 'erlang-base', units: ['epmd.service', 'epmd.socket'] },
  ],
}
