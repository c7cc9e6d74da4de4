/** The words after `npm run demo --`. */
import { breakages, type Breakage } from './breakages.ts'

export interface Options {
  /** Keep everything running after the story, until Ctrl-C. */
  stay: boolean
  /** Events as JSON lines on standard output and nothing else there. */
  json: boolean
  /** What is broken before the story begins, to see what the sensor says about it. */
  broken: Breakage | undefined
}

export const usage = `npm run demo -- [--stay] [--json] [--break WHAT]

  --stay         keeps everything running and says how to talk to it, until Ctrl-C
  --json         prints the sensor's events as JSON lines on standard output (npm run -s keeps npm's own lines away)
  --break WHAT   breaks something first; the demonstration then fails and says whose fault it is:
${Object.entries(breakages)
  .map(([name, { what }]) => `                   ${name.padEnd(16)}${what}\n`)
  .join('')}`

/** Throws an Error that says which word it does not know. */
export function readOptions(words: readonly string[]): Options {
  const options: Options = { stay: false, json: false, broken: undefined }
  for (let at = 0; at < words.length; at += 1) {
    const [word = '', inline] = (words[at] ?? '').split('=', 2)
    if (word === '--stay') options.stay = true
    else if (word === '--json') options.json = true
    else if (word === '--break') options.broken = breakage(inline ?? words[(at += 1)])
    else throw new Error(`there is no option ${JSON.stringify(words[at])}`)
  }
  return options
}

function breakage(name = ''): Breakage {
  const found = Object.entries(breakages).find(([known]) => known === name)
  if (found) return found[1]
  throw new Error(`--break knows ${Object.keys(breakages).join(', ')}, not ${JSON.stringify(name)}`)
}
