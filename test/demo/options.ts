/** What a person has chosen. */
import { breakages, type Breakage } from './breakages.ts'

export interface Options {
  /** Keep everything running after the story, until Ctrl-C. */
  stay: boolean
  /** Events as JSON lines on standard output and nothing else there. */
  json: boolean
  /** What is broken before the story begins, to see what the sensor says about it. */
  broken: Breakage | undefined
}

/** The words after `npm run demo --`, as test/setup/words.mjs has read them. */
export interface Words extends Omit<Options, 'broken'> {
  broken: string | undefined
}

export const chosen = ({ stay, json, broken }: Words): Options => ({
  stay,
  json,
  broken: broken === undefined ? undefined : breakages[broken],
})
