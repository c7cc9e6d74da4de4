/** command SENSOR COMMAND [NETWORK]: something to do now, with its reply. */
import { randomBytes } from 'node:crypto'
import { commandNames, Command, Reply } from '../../agent/desired/messages.ts'
import { nearest } from '../../agent/desired/problems.ts'
import { isId } from '../../agent/desired/topics.ts'
import { text, type Run } from '../context.ts'
import { Failure, usage } from '../failure.ts'
import { paint, printable } from '../table.ts'

export const send: Run = async context => {
  const { broker, io, words, values, wait } = context
  const [sensor, name, network] = words
  if (sensor === undefined || name === undefined)
    throw usage(`command SENSOR ${commandNames.join('|')} [NETWORK]`)
  if (!isId(sensor)) throw usage(`${sensor} is no id of a sensor`)
  const id = text(values, 'id') ?? randomBytes(8).toString('hex')
  const expires = new Date(Date.now() + wait + 60_000).toISOString()
  const command = { id, command: name, ...(network !== undefined && { network }), expires }
  if (!Command.safeParse(command).success) {
    const near = nearest(name, commandNames)
    const known = (commandNames as readonly string[]).includes(name)
    throw usage(
      known
        ? `${name} ${network === undefined ? 'needs a' : 'takes no'} network`
        : `there is no command ${name}`,
      near === undefined || known ? undefined : `did you mean ${near}?`,
    )
  }
  const answered = new Promise<Reply | undefined>(resolve => {
    const timer = setTimeout(() => resolve(undefined), wait)
    io.signal.addEventListener('abort', () => clearTimeout(timer))
    broker.listen((topic, payload, retain) => {
      const reply = retain || !topic.endsWith(`sensors/${sensor}/replies`) ? undefined : read(payload)
      if (reply?.id !== id) return
      clearTimeout(timer)
      resolve(reply)
    })
  })
  await broker.subscribe([`sensors/${sensor}/replies`])
  await broker.publish(`sensors/${sensor}/commands`, command, false)
  if (wait === 0) return 0
  const reply = await answered
  if (reply === undefined)
    throw new Failure(`${sensor} has not answered within ${String(wait / 1000)} s`, {
      hint: `it may still; ask again with --id ${id}`,
    })
  if (context.json) io.out(`${JSON.stringify(reply, null, 2)}\n`)
  else {
    const colour = reply.outcome === 'done' ? 'green' : 'red'
    io.out(`${paint(reply.outcome, colour, io.colour)}: ${printable(reply.text)}\n`)
    for (const { path, message } of reply.problems ?? []) io.out(`  ${printable(`${path}: ${message}`)}\n`)
    if (reply.problem) io.out(`  ${printable(reply.problem.detail)}\n  ${printable(reply.problem.hint)}\n`)
    if (reply.data) io.out(`${JSON.stringify(reply.data, null, 2)}\n`)
  }
  return reply.outcome === 'done' ? 0 : 1
}

function read(payload: Buffer): Reply | undefined {
  try {
    const reply = Reply.safeParse(JSON.parse(payload.toString()))
    return reply.success ? reply.data : undefined
  } catch {
    return undefined
  }
}
