/** Managed over MQTT, on the real agent: what an operator does to a sensor that is at work, and what is told of it. */
import './managed/removal.ts'
import './managed/last-known-good.ts'
import './managed/reported.ts'
import './managed/operator.ts'
import './managed/tls.ts'
