import './supplicant/attempt.ts'
import './supplicant/block.ts'
import './supplicant/signals.ts'
import './supplicant/triage.ts'
