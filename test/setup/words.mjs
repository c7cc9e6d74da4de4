/** The words after `npm run demo --`. They are read before anything is installed: a question is answered at once. */

/** What `--break` can break; how it does so is in test/demo/breakages.ts. */
const breakages = {
  password: 'the profile has a wrong challenge password',
  scep: 'the SCEP server is not running',
  dhcp: 'the enrollment network has no DHCP server',
  radius: 'the RADIUS server is dead',
  ca: 'the RADIUS server has a certificate of another CA',
  port: 'the switch never opens its port',
  'renewal-scep': 'the SCEP server is gone when the certificate is renewed',
  'renewal-trust': 'the RADIUS server trusts another CA when the new certificate logs in',
  'renewal-rule': 'a routing rule sends what comes from the tested network to eth1',
  'renewal-leak': 'another program of the sensor asks the SCEP server over eth1 meanwhile',
}

export const usage = `npm run demo -- [--stay] [--json] [--break WHAT]

  --stay         keeps everything running and says how to talk to it, until Ctrl-C
  --json         prints the sensor's events as JSON lines on standard output (npm run -s keeps npm's own lines away)
  --break WHAT   breaks something first; the demonstration then fails and says whose fault it is:
${Object.entries(breakages)
  .map(([name, what]) => `                   ${name.padEnd(16)}${what}\n`)
  .join('')}`

const breakage = (name = '') => {
  if (Object.keys(breakages).includes(name)) return name
  throw new Error(`--break knows ${Object.keys(breakages).join(', ')}, not ${JSON.stringify(name)}`)
}

/** `broken` is the name of a breakage. Throws an Error that says which word it does not know. */
export const readWords = words => {
  const read = { help: false, stay: false, json: false, broken: undefined }
  if (words.includes('--help') || words.includes('-h')) return { ...read, help: true }
  for (let at = 0; at < words.length; at += 1) {
    const [word, inline] = words[at].split('=', 2)
    if (words[at] === '--stay') read.stay = true
    else if (words[at] === '--json') read.json = true
    else if (word === '--break') read.broken = breakage(inline ?? words[(at += 1)])
    else throw new Error(`there is no option ${JSON.stringify(words[at])}`)
  }
  return read
}
