import './mqtt/outbox.ts'
import './mqtt/small.ts'
