/** A first certificate, over the joined enrollment network (S2-07, RFC 8894 section 2.3). */
import type { KeyObject } from 'node:crypto'
import { digest12 } from '../core/hash.ts'
import type { Role } from '../credential-record.ts'
import type { StepOf } from '../core/step.ts'
import { findNetwork } from '../core/want.ts'
import type { Scep } from '../desired/profile.ts'
import { substitute, variablesFor } from '../desired/variables.ts'
import * as scep from '../scep/index.ts'
import type { Network } from '../types.ts'
import { certify } from './certify.ts'
import type { Context } from './context.ts'
import { sayDamage } from './damage.ts'

export async function enroll(step: StepOf<'enroll'>, signal: AbortSignal, context: Context): Promise<void> {
  const network = findNetwork(context.desired(), step.network)
  const port = context.ports.get(step.interface)
  const path = port?.path
  if (!network?.profile.scep || !path) throw new DOMException('the network was left', 'AbortError')
  const settings = network.profile.scep
  const state = await context.credentials.of(network.id).read()
  sayDamage({ network: network.id, interface: step.interface }, state, context)
  // A certificate in force stays until the new one has been proved (S1-17); one of another assignment is forgotten (S2-69).
  const current = state.assignment === network.assignment ? state.current : undefined
  const inForce = current !== undefined && context.now() <= current.certificate.notAfter
  const role: Role = inForce ? 'candidate' : 'current'
  const content = contentOf(network, settings, context)
  const purpose = {
    ...{ network, settings, interface: step.interface, role },
    ...(inForce && { replaces: current.certificate }),
    basis: basisOf(network, settings, content),
    prepare: (key: KeyObject) => {
      const ready = takeReady(network, settings, content, key, context)
      return ready ?? prepare(key, settings, content, context)
    },
    signer: (key: KeyObject) => key,
  }
  await certify(purpose, path, signal, context)
}

type Content = Omit<scep.EnrolmentRequest, 'key' | 'signature'>

const basisOf = (network: Network, { key, signature, url }: Scep, content: Content): string =>
  digest12([network.assignment, key, signature, url, content])

/** The basis of the request that `enroll` would make now; undefined where it could make none, e.g. for want of a name. */
export function enrolmentBasis(network: Network, settings: Scep, context: Context): string | undefined {
  try {
    return basisOf(network, settings, contentOf(network, settings, context))
  } catch {
    return undefined
  }
}

const prepare = (
  key: KeyObject,
  { signature }: Scep,
  content: Content,
  context: Context,
): Promise<scep.Enrolment> =>
  scep.prepareEnrolment({ key, ...content, signature, validFrom: new Date(context.now()) })

/** Requests made while the address was awaited, by credential. */
const ready = new WeakMap<object, { basis: string; key: KeyObject; enrolment: Promise<scep.Enrolment> }>()

/** Makes the request that `enroll` will need, once `key` is there: nothing else is to do while a lease is awaited. */
export async function prepareAhead(
  network: Network,
  settings: Scep,
  key: KeyObject,
  context: Context,
): Promise<void> {
  const content = contentOf(network, settings, context)
  const enrolment = prepare(key, settings, content, context)
  ready.set(context.credentials.of(network.id), {
    basis: basisOf(network, settings, content),
    key,
    enrolment,
  })
  await enrolment
}

export function isPrepared(network: Network, settings: Scep, context: Context): boolean {
  const made = ready.get(context.credentials.of(network.id))
  return made?.basis === basisOf(network, settings, contentOf(network, settings, context))
}

function takeReady(
  network: Network,
  settings: Scep,
  content: Content,
  key: KeyObject,
  context: Context,
): Promise<scep.Enrolment> | undefined {
  const folder = context.credentials.of(network.id)
  const made = ready.get(folder)
  ready.delete(folder)
  return made?.basis === basisOf(network, settings, content) && made.key.equals(key)
    ? made.enrolment
    : undefined
}

/** S2-24..33: subject, names and password, with the sensor's own values in place of variables. */
function contentOf(network: Network, settings: Scep, context: Context): Content {
  const values = variablesFor(context.identity, context.desired().name, network.interface)
  const commonName = substitute(settings.subject.commonName, values, 'scep.subject.commonName')
  const names = settings.alternativeNames.map((text, index) => {
    const where = `scep.alternativeNames[${String(index)}]`
    return scep.alternativeName(substitute(text === 'mac' ? 'mac:{mac}' : text, values, where))
  })
  const { challengePassword, template } = settings
  return {
    subject: { commonName },
    names,
    ...(challengePassword !== undefined && { challengePassword }),
    ...(template !== undefined && { template }),
  }
}
