import { AIR_STAGES, type AirStage } from '../lab/supplicant/stages.ts'

const causes = ['supplicant killed', 'bus killed', 'access point gone', 'RADIUS dead'] as const

/** What befalls the agent at a stage of a join on the air. */
export interface AirStroke {
  cause: (typeof causes)[number]
  stage: AirStage
}

/** One stroke of each kind at each stage. */
export const airStrokes: readonly AirStroke[] = causes.flatMap(cause =>
  (Object.keys(AIR_STAGES) as AirStage[]).map(stage => ({ cause, stage })),
)
