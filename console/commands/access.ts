/** sensor add|remove, acl: who may connect to the broker, and to what. */
import { randomBytes } from 'node:crypto'
import { idPattern } from '../../agent/desired/profile.ts'
import type { Run } from '../context.ts'
import { Failure, usage } from '../failure.ts'
import { Fleet } from '../fleet.ts'
import { aclFile, DynamicSecurity, networksOf } from '../rights.ts'

/** Prints the password once: it goes into the settings of the sensor. */
export const sensor: Run = async ({ broker, io, words, json }) => {
  const [action, id] = words
  if ((action !== 'add' && action !== 'remove') || id === undefined || !idPattern.test(id))
    throw usage('sensor add|remove SENSOR')
  const rights = new DynamicSecurity(broker)
  const available = await rights.available()
  if (action === 'remove') {
    if (available) await rights.dismiss(id)
    for (const part of ['desired', 'reported', 'presence'])
      await broker.publish(`sensors/${id}/${part}`, undefined)
    const account = available
      ? 'may no longer connect'
      : 'keeps its account on the broker, which has no dynamic-security plugin for this user'
    io.out(`the documents of ${id} are taken away; it ${account}\n`)
    return undefined
  }
  if (!available) {
    throw new Failure('the broker has no dynamic-security plugin, or this user may not use it', {
      hint: 'config/mosquitto/README.md; or make a static file: sonde fleet acl',
    })
  }
  const password = randomBytes(18).toString('base64url')
  await rights.admit(id, password)
  const fleet = await Fleet.read(broker, ['desired', 'networks'])
  const listed = fleet.sensors.get(id)?.desired?.networks.map(({ network }) => network) ?? []
  await rights.allow(id, networksOf(fleet, listed), [])
  io.out(
    json
      ? `${JSON.stringify({ sensor: id, username: id, password })}\n`
      : `in the settings of ${id}:\n  "mqtt": { "username": "${id}", "password": "${password}" }\n`,
  )
  return undefined
}

/** `acl [OPERATOR…]`: an acl_file for the fleet as it is assigned now. */
export const acl: Run = async ({ broker, io, words }) => {
  const fleet = await Fleet.read(broker, ['desired', 'networks'])
  io.out(aclFile(fleet, broker.prefix, words))
  return undefined
}
