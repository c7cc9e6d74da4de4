/** The years of a certificate: renewal, refusals, removal, wrong clocks. */
import './lifecycle/renewal.ts'
import './lifecycle/refusals.ts'
import './lifecycle/pending.ts'
import './lifecycle/trust.ts'
import './lifecycle/clock.ts'
import './lifecycle/disk.ts'
import './lifecycle/authorities.ts'
import './lifecycle/removal.ts'
