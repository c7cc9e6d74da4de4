/**
 * While a network that was out of range waits for its next try, and its radio has nothing else to do: looks where its access
 * points were met before. One that was not heard and then is has come back, and need not be waited for any longer.
 */
import { setTimeout } from 'node:timers/promises'
import { heard, isSupplicantError, scan, type Bss, type SupplicantInterface } from '../../supplicant/index.ts'
import type { JoinedNetwork } from '../types.ts'

export type Target = Pick<JoinedNetwork, 'network' | 'revision'>

/** Milliseconds between looks. One takes the radio some 50 ms for each channel. */
const pace = 2_000

/** Seconds. What failed has looked at least this often: what it did not hear is gone. */
const lately = 10

/** The findings after which it makes sense: nobody was there, or not any more. */
export const outOfRange = ['not-found', 'association-rejected', 'access-point-lost'] as const

export class Lookout implements Disposable {
  readonly target: Target
  readonly #over = new AbortController()

  /** `back` is called once, unless this is disposed of before. */
  constructor(
    target: Target,
    handle: SupplicantInterface,
    ssid: string | Uint8Array,
    frequencies: readonly number[],
    back: () => void,
  ) {
    this.target = target
    const { signal } = this.#over
    this.#untilHeard(handle, Buffer.from(ssid), frequencies, signal).then(back, () => undefined)
  }

  [Symbol.dispose](): void {
    this.#over.abort()
  }

  async #untilHeard(
    handle: SupplicantInterface,
    ssid: Buffer,
    frequencies: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    // What is heard all the time did not come back: it cannot be joined for another reason.
    const options = { frequencies, ssids: [ssid], deadline: pace }
    let missed = (await among(heard(handle), handle, ssid, lately)) === false
    for (;;) {
      const isHeard = await among(scan(handle, options, signal), handle, ssid, 1)
      if (isHeard === true && missed) return
      missed ||= isHeard === false
      await setTimeout(pace, undefined, { signal })
    }
  }
}

/**
 * Whether the network is among what was heard in the last so many seconds; undefined where the radio did not look. Rejects when the
 * handle or the wait has ended.
 */
async function among(
  looking: Promise<Bss[]>,
  handle: SupplicantInterface,
  ssid: Buffer,
  seconds: number,
): Promise<boolean | undefined> {
  try {
    return (await looking).some(bss => bss.age <= seconds && ssid.equals(bss.ssid))
  } catch (error) {
    if (handle.gone !== undefined || !isSupplicantError(error)) throw error
    return undefined
  }
}
