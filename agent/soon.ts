/** Something that is asked for in bursts and need not be done each time: it is done once, `ms` after it was first asked for. */
export class Soon implements Disposable {
  readonly #ms: number
  readonly #act: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(ms: number, act: () => void) {
    this.#ms = ms
    this.#act = act
  }

  ask(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#act()
    }, this.#ms)
  }

  /** What was asked for is done now; nothing where nothing was. */
  [Symbol.dispose](): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#act()
  }
}
