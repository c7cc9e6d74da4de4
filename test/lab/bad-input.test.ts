/** What is wrong around the sensor is reported, and left behind when it is right again. What waits longest comes first. */
import './main-job/segment.ts'
import './main-job/silence.ts'
import './main-job/bad-input.ts'
import './main-job/interfaces.ts'
import './main-job/bad-documents.ts'
