/** Why an interface cannot be had from the supplicant, as it is reported while that lasts. */
import { AgentError, type Finding } from '../errors.ts'
import { asAgentError } from './findings.ts'

/** The library's codes for a supplicant that is there and will not have the interface. */
const refusals = new Set(['refused', 'interface-unknown'])

export class Absence {
  readonly #interface: string
  #problem: Finding | undefined

  constructor(name: string) {
    this.#interface = name
  }

  get problem(): Finding | undefined {
    return this.#problem
  }

  /** The value, or undefined where the supplicant does not give it; other errors pass through. */
  async over<T>(call: Promise<T>): Promise<T | undefined> {
    try {
      const value = await call
      this.#problem = undefined
      return value
    } catch (error) {
      const known = asAgentError(error)
      if (!(known instanceof AgentError)) throw error
      const { finding } = known
      const detail = `${this.#interface}: ${finding.detail}`
      const hint =
        'look whether the sensor has this interface (ip link) and whether it is of the kind in its settings'
      this.#problem = { ...finding, detail, ...(refusals.has(finding.code) && { hint }) }
      return undefined
    }
  }
}
