import './mqtt/commands.ts'
import './mqtt/outbox.ts'
import './mqtt/small.ts'
import './mqtt/documents.ts'
