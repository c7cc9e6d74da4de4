/** A power cut before each write of the enrolment, and before it is synced. */
import { cutAt, writes } from '../lab/main-job/power-cut.ts'
import { sample } from './sample.ts'

cutAt(sample(writes), 3)
