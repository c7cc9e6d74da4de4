/**
 * Delays between attempts in ms, without end: doubling from `first` to `most`, each within ± `jitter` of itself,
 * so that a fleet does not come back to its broker in one wave.
 */
export function* delays(
  { first, most, jitter }: { first: number; most: number; jitter: number },
  random: () => number = Math.random,
): Generator<number, never> {
  for (let delay = first; ; delay = Math.min(delay * 2, most)) {
    yield Math.round(delay * (1 + jitter * (2 * random() - 1)))
  }
}
