import { raise } from './scene.ts'

await raise()
await import('./lease.ts')
await import('./silence.ts')
await import('./leaks.ts')
await import('./names.ts')
await import('./loss.ts')
await import('./neighbours.ts')
await import('./leftovers.ts')
await import('./rights.ts')
