/** The SCEP client: no root, nothing but loopback and openssl. The rows B-01 … B-75 are in docs/scep.md; answers in scep-replies.test.ts. */
import './scep/settings.ts'
import './scep/enrolment.ts'
import './scep/key-generation.ts'
import './scep/menus.ts'
import './scep/refusals.ts'
import './scep/secret.ts'
import './scep/trust.ts'
import './scep/rollover.ts'
