/** How to talk to what keeps running: commands that work as they stand. Pure. */
export interface Place {
  /** Name of a namespace by its role. */
  space: (role: 'sensor' | 'switch' | 'backend') => string
  /** D-Bus address. */
  bus: string
  folder: string
  broker: string
  sensor: string
  radius: string
}

export function stayText({ space, bus, folder, broker, sensor, radius }: Place): string {
  const inside = (role: 'sensor' | 'switch' | 'backend'): string => `ip netns exec ${space(role)}`
  const mqtt = `${inside('backend')} mosquitto_`
  const topic = `sonde/sensors/${sensor}`
  const none = JSON.stringify({ schema: 1, version: 2, networks: [] })
  const again = JSON.stringify({
    schema: 1,
    version: 3,
    networks: [{ network: 'corp', assignment: 'second' }],
  })
  const commands: [string, string][] = [
    ['everything on MQTT', `${mqtt}sub -h ${broker} -v -t 'sonde/#'`],
    ['the reported state', `${mqtt}sub -h ${broker} -C 1 -t ${topic}/reported | python3 -m json.tool`],
    ['take the network away', `${mqtt}pub -h ${broker} -r -q 1 -t ${topic}/desired -m '${none}'`],
    ['assign it afresh', `${mqtt}pub -h ${broker} -r -q 1 -t ${topic}/desired -m '${again}'`],
    ['pull the cable; plug it', `ip -n ${space('switch')} link set swp1 down`],
    ['', `ip -n ${space('switch')} link set swp1 up`],
    ['routes of the sensor', `ip -n ${space('sensor')} rule; ip -n ${space('sensor')} route show table all`],
    ['what the supplicant has', `busctl --address=${bus} tree fi.w1.wpa_supplicant1`],
    ['EAP at the switch', `tail -f ${folder}/hostapd.log`],
    ['logins', `tail -f ${folder}/${radius}.log`],
    ['log of the agent', `tail -f ${folder}/${sensor}.log`],
  ]
  const lines = commands.flatMap(([what, command]) =>
    what === '' ? [`     ${command}`] : [`   ${what}:`, `     ${command}`],
  )
  return [' Everything keeps running until Ctrl-C. From another terminal, as root:', '', ...lines, ''].join(
    '\n',
  )
}
