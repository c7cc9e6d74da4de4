/** The earliest moment after now that anybody named: when the loop has to look again by the passing of time alone. */
export class Waking {
  readonly now: number
  at: number | undefined
  constructor(now: number) {
    this.now = now
  }
  by(time: number | undefined): void {
    if (time !== undefined && time > this.now) this.at = Math.min(time, this.at ?? Infinity)
  }
}
