/** What is wrong around the sensor is reported, and left behind when it is right again. */
import './main-job/bad-input.ts'
import './main-job/segment.ts'
