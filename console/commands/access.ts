/** sensor add|remove, acl: who may connect to the broker, and to what. */
import { randomBytes } from 'node:crypto'
import { isId } from '../../agent/desired/topics.ts'
import { idsAre } from '../choose.ts'
import type { Context, Run } from '../context.ts'
import { Failure, usage } from '../failure.ts'
import { Fleet } from '../fleet.ts'
import { aclFile, DynamicSecurity, networksOf } from '../rights.ts'

/** Prints every password once: it goes into the settings of the sensor. */
export const sensor: Run = async context => {
  const [action, ...ids] = context.words
  if ((action !== 'add' && action !== 'remove') || ids.length === 0) throw usage('sensor add|remove SENSOR…')
  const odd = ids.find(id => !isId(id))
  if (odd !== undefined) throw usage(`${odd}: ${idsAre}`)
  const rights = new DynamicSecurity(context.broker)
  const available = await rights.available()
  if (action === 'remove') await remove(context, ids, available ? rights : undefined)
  else if (available) await add(context, ids, rights)
  else
    throw new Failure('the broker has no dynamic-security plugin, or this user may not use it', {
      hint: 'config/mosquitto/README.md; or make a static file: sonde fleet acl',
    })
  return undefined
}

async function add({ broker, io, json }: Context, ids: string[], rights: DynamicSecurity): Promise<void> {
  const fleet = await Fleet.read(broker, ['desired', 'networks'])
  for (const id of ids) {
    const password = randomBytes(18).toString('base64url')
    await rights.admit(id, password)
    const listed = fleet.sensors.get(id)?.desired?.networks.map(({ network }) => network) ?? []
    await rights.allow([{ sensor: id, now: networksOf(fleet, listed), then: [] }])
    io.out(
      json
        ? `${JSON.stringify({ sensor: id, username: id, password })}\n`
        : `in the settings of ${id}:\n  "mqtt": { "username": "${id}", "password": "${password}" }\n`,
    )
  }
}

async function remove({ broker, io, json }: Context, ids: string[], rights?: DynamicSecurity): Promise<void> {
  const account = rights
    ? 'may no longer connect'
    : 'keeps its account on the broker, which has no dynamic-security plugin for this user'
  const topicsOf = (id: string): string[] =>
    ['desired', 'reported', 'presence'].map(part => `sensors/${id}/${part}`)
  await broker.subscribe(ids.flatMap(topicsOf))
  for (const id of ids) {
    await rights?.dismiss(id)
    await broker.publishAll(topicsOf(id).map(topic => [topic, undefined]))
    io.out(
      json
        ? `${JSON.stringify({ sensor: id, removed: true, account: rights === undefined })}\n`
        : `the documents of ${id} are taken away; it ${account}\n`,
    )
  }
}

/** `acl [OPERATOR…]`: an acl_file for the fleet as it is assigned now. */
export const acl: Run = async ({ broker, io, words }) => {
  const fleet = await Fleet.read(broker, ['desired', 'networks'])
  io.out(aclFile(fleet, broker.prefix, words))
  return undefined
}
