/** A time server of the tests (RFC 4330): right, or as the argument says: `unsynchronised` (a kiss of death), `silent`. */
import { createSocket } from 'node:dgram'

const [, , host = '127.0.0.1', mood = 'right', port = '123'] = process.argv
/** Seconds between 1900 and 1970. */
const epoch = 2_208_988_800

const socket = createSocket('udp4')
socket.on('message', (question, from) => {
  process.stdout.write(`asked by ${from.address}\n`)
  if (mood === 'silent') return
  const answer = Buffer.alloc(48)
  answer[0] = mood === 'right' ? 0x24 : 0xe4
  answer[1] = mood === 'right' ? 2 : 0
  question.copy(answer, 24, 40, 48)
  for (const at of [32, 40]) {
    const now = Date.now()
    answer.writeUInt32BE(Math.floor(now / 1000) + epoch, at)
    answer.writeUInt32BE(Math.floor(((now % 1000) / 1000) * 2 ** 32), at + 4)
  }
  socket.send(answer, from.port, from.address)
})
socket.bind(Number(port), host, () => {
  process.stdout.write(`listening on ${String(socket.address().port)}\n`)
})
