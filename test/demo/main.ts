/** `npm run demo`: what a sensor does, watched from outside through MQTT, on real daemons. */
import { demonstrate } from './demonstration.ts'
import { chosen, type Words } from './options.ts'

/** Milliseconds for the laboratory to be taken down. */
const patience = 20_000

/** The exit code: 0 done, 1 failed, 130 interrupted. */
export async function run(words: Words, signal: AbortSignal): Promise<number> {
  // A reader that goes away (`| head`) must not end us before the laboratory is taken down.
  const unread = new AbortController()
  // What reaches nobody, as when files run out in the middle of something, is told like every other failure.
  const broken = new AbortController()
  process.on('uncaughtException', error => {
    broken.abort(error)
    // Whoever would have settled a promise may be gone with it.
    setTimeout(() => {
      process.stderr.write(`${error.stack ?? String(error)}\n`)
      process.exit(1)
    }, patience).unref()
  })
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // EIO: the terminal was closed.
    if (['EPIPE', 'EIO'].includes(error.code ?? '')) unread.abort(error)
    else if (!broken.signal.aborted) {
      process.stderr.write(`nothing can be shown any more: ${error.message}\n`)
      broken.abort(error)
    }
  })
  const either = AbortSignal.any([signal, unread.signal])
  const outputs = { out: process.stdout, errors: process.stderr }
  return demonstrate(chosen(words), outputs, either, broken.signal)
}
