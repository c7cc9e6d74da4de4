import { schemas } from './desired/parse.ts'
import type { DesiredView } from './desired/state.ts'

export interface ReportedDocuments {
  schemas: typeof schemas
  applied: DesiredView['applied']
  problems: DesiredView['problems']
  awaiting: DesiredView['awaited']
  rejected?: DesiredView['rejected']
}

/** What the report says of the documents themselves. */
export const documentsOf = ({ applied, problems, awaited, rejected }: DesiredView): ReportedDocuments => ({
  ...{ schemas, applied, problems, awaiting: awaited },
  ...(rejected && { rejected }),
})
