/** The main job on real parts: from a profile on MQTT to EAP-TLS with a certificate of its own. */
import './main-job/rows.ts'
import './main-job/secrets.ts'
import './main-job/one-interface.ts'
import './main-job/stop.ts'
import './main-job/restarts.ts'
import './main-job/service.ts'
