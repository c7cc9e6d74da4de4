/** `npm run demo`: what a sensor does, watched from outside through MQTT, on real daemons. */
import { demonstrate } from './demonstration.ts'
import { readOptions, usage, type Options } from './options.ts'

/** The exit code: 0 done, 1 failed, 2 the words are off, 130 interrupted. */
export async function run(args: string[], signal: AbortSignal): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(usage)
    return 0
  }
  let options: Options
  try {
    options = readOptions(args)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    return 2
  }
  // A reader that goes away (`| head`) must not end us before the laboratory is taken down.
  const unread = new AbortController()
  process.stdout.on('error', (error: Error) => {
    unread.abort(error)
  })
  const either = AbortSignal.any([signal, unread.signal])
  return demonstrate(options, { out: process.stdout, errors: process.stderr }, either)
}
