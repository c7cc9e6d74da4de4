/** A power cut at any step of the main job. */
import { cutAt, cuts } from './main-job/power-cut.ts'
import './main-job/lost-reply.ts'

cutAt(cuts, 3, { certain: true })
