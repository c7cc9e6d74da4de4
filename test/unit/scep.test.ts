/** The SCEP client: no root, nothing but loopback and openssl. The rows B-01 … B-75 are in docs/scep.md. */
import './scep/settings.ts'
import './scep/enrolment.ts'
import './scep/refusals.ts'
import './scep/trust.ts'
import './scep/ca-replies.ts'
import './scep/replies.ts'
