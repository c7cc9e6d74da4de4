/** `npm run demo`: what a sensor does, watched from outside through MQTT, on real daemons. */
import { demonstrate } from './demonstration.ts'
import { chosen, type Words } from './options.ts'

/** The exit code: 0 done, 1 failed, 130 interrupted. */
export async function run(words: Words, signal: AbortSignal): Promise<number> {
  // A reader that goes away (`| head`) must not end us before the laboratory is taken down.
  const unread = new AbortController()
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && !unread.signal.aborted)
      process.stderr.write(`nothing can be shown any more: ${error.message}\n`)
    unread.abort(error)
  })
  const either = AbortSignal.any([signal, unread.signal])
  return demonstrate(chosen(words), { out: process.stdout, errors: process.stderr }, either)
}
