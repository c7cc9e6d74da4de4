import './mqtt/link.ts'
import './mqtt/path.ts'
import './mqtt/steady.ts'
