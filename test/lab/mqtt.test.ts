import './mqtt/link.ts'
import './mqtt/path.ts'
