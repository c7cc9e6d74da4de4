import './mqtt/link.ts'
import './mqtt/last-breath.ts'
import './mqtt/path.ts'
import './mqtt/steady.ts'
