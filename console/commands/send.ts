/** command SENSOR COMMAND [NETWORK], or with --sensors of many: something to do now, with the replies. */
import { randomBytes } from 'node:crypto'
import { commandNames, Command, Reply } from '../../agent/desired/messages.ts'
import { nearest } from '../../agent/desired/problems.ts'
import { isId } from '../../agent/desired/topics.ts'
import { chosen, idsAre } from '../choose.ts'
import { outlast, text, type Context, type Run } from '../context.ts'
import { exitCodes, Failure, interrupted, usage } from '../failure.ts'
import { Fleet } from '../fleet.ts'
import { printableJson, readJson } from '../json.ts'
import { paint, printable } from '../table.ts'

const synopsis = `command SENSOR ${commandNames.join('|')} [NETWORK], or --sensors A,B* COMMAND [NETWORK]`

export const send: Run = async context => {
  const { broker, io, values, wait } = context
  const parts =
    text(values, 'sensors')?.includes('*') === true ? (['presence', 'reported', 'desired'] as const) : []
  const { sensors, rest, many } = chosen(context, await Fleet.read(broker, parts), synopsis)
  const command = commandOf(rest, text(values, 'id') ?? randomBytes(8).toString('hex'), wait)
  const replies = new Map<string, Reply>()
  const open = new Set(sensors)
  let again = false
  const all = new Promise<void>(resolve => {
    setTimeout(resolve, wait).unref()
    io.signal.addEventListener('abort', () => resolve())
    broker.listen((topic, payload, retain) => {
      const [, sensor = '', part] = topic.slice(broker.prefix.length + 1).split('/')
      const reply = retain || part !== 'replies' || !sensors.includes(sensor) ? undefined : read(payload)
      if (reply?.id !== command.id) return
      const { repeated, ...first } = reply
      replies.set(sensor, again ? first : reply)
      // To who asks again a sensor that is still at it says so, and how it ends later.
      if (!again || repeated === undefined || reply.outcome !== 'refused') open.delete(sensor)
      if (open.size === 0) resolve()
    })
  })
  const ask = (): Promise<unknown> =>
    Promise.all([...open].map(sensor => broker.publish(`sensors/${sensor}/commands`, command, false)))
  await broker.subscribe(many ? ['sensors/+/replies'] : sensors.map(sensor => `sensors/${sensor}/replies`))
  await ask()
  if (wait === 0) {
    const { id } = command
    io.out(context.json ? `${JSON.stringify({ id, missing: sensors })}\n` : `published with --id ${id}\n`)
    return exitCodes.done
  }
  using _ = outlast(context)
  // Replies are not retained: what was said while the broker was away is said again to who asks with the same id.
  using __ = broker.onReturn(() => {
    again = true
    void ask().catch(() => undefined)
  })
  await all
  const missing = sensors.filter(sensor => !replies.has(sensor))
  if (context.json && many) io.out(`${printableJson({ ...Object.fromEntries(replies), missing }, 2)}\n`)
  else for (const [sensor, reply] of replies) tell(context, reply, many ? `${sensor}: ` : '')
  if (missing.length > 0 && io.signal.aborted) throw interrupted()
  if (missing.length > 0 && broker.away !== undefined) throw broker.away
  if (missing.length > 0) {
    const some = `${missing.slice(0, 20).join(', ')}${missing.length > 20 ? ', …' : ''}`
    const have = missing.length === 1 ? 'has' : 'have'
    throw new Failure(`${some} ${have} not answered within ${String(wait / 1000)} s`, {
      hint: `${missing.length === 1 ? 'it' : 'they'} may still; ask again with --id ${command.id}`,
    })
  }
  return [...replies.values()].every(({ outcome }) => outcome === 'done') ? exitCodes.done : exitCodes.failed
}

function commandOf([name, network, over]: readonly string[], id: string, wait: number): Command {
  if (name === undefined) throw usage(synopsis)
  if (over !== undefined) throw usage(`command does not take ${over}`, synopsis)
  for (const [what, given] of [
    ['--id ', id],
    ['network ', network],
  ] as const)
    if (given !== undefined && !isId(given)) throw usage(`${what}${given}: ${idsAre}`)
  const expires = new Date(Date.now() + wait + 60_000).toISOString()
  const command = Command.safeParse({
    schema: 1,
    id,
    command: name,
    ...(network !== undefined && { network }),
    expires,
  })
  if (command.success) return command.data
  const near = nearest(name, commandNames)
  const known = (commandNames as readonly string[]).includes(name)
  throw usage(
    known
      ? `${name} ${network === undefined ? 'needs a' : 'takes no'} network`
      : `there is no command ${name}`,
    known ? undefined : near === undefined ? `one of ${commandNames.join(', ')}` : `did you mean ${near}?`,
  )
}

function tell({ io, json }: Context, reply: Reply, whose: string): void {
  if (json) {
    io.out(`${printableJson(reply, 2)}\n`)
    return
  }
  const colour = reply.outcome === 'done' ? 'green' : 'red'
  const before =
    reply.repeated === true ? ` (the reply of ${printable(reply.at)}: this id was used before)` : ''
  io.out(`${whose}${paint(reply.outcome, colour, io.colour)}: ${printable(reply.text)}${before}\n`)
  for (const { path, message } of reply.problems ?? []) io.out(`  ${printable(`${path}: ${message}`)}\n`)
  if (reply.problem) io.out(`  ${printable(reply.problem.detail)}\n  ${printable(reply.problem.hint)}\n`)
  if (reply.data) io.out(`${printableJson(reply.data, 2)}\n`)
}

function read(payload: Buffer): Reply | undefined {
  const reply = Reply.safeParse(readJson(payload))
  return reply.success ? reply.data : undefined
}
