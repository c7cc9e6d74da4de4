/** A first certificate, over the joined enrollment network (S2-07, RFC 8894 section 2.3). */
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

export async function enroll(step: StepOf<'enroll'>, signal: AbortSignal, context: Context): Promise<void> {
  const network = findNetwork(context.desired(), step.network)
  const port = context.ports.get(step.interface)
  const path = port?.path
  if (!network?.profile.scep || !path) throw new DOMException('the network was left', 'AbortError')
  port.expectJoin()
  const settings = network.profile.scep
  const { current } = await context.credentials.of(network.id).read()
  // A certificate in force stays until the new one has been proved (S1-17).
  const inForce = current !== undefined && context.now() <= current.certificate.notAfter
  const role: Role = inForce ? 'candidate' : 'current'
  const content = contentOf(network, settings, context)
  const { key, signature, url } = settings
  const purpose = {
    ...{ network, settings, interface: step.interface, role },
    basis: () => digest12([network.assignment, key, signature, url, content]),
    prepare: (privateKey: Parameters<typeof scep.prepareEnrolment>[0]['key']) =>
      scep.prepareEnrolment({
        key: privateKey,
        ...content,
        signature,
        validFrom: new Date(context.now()),
      }),
    signer: (privateKey: Parameters<typeof scep.prepareEnrolment>[0]['key']) => privateKey,
  }
  await certify(purpose, path, signal, context)
}

/** S2-24..33: subject, names and password, with the sensor's own values in place of variables. */
function contentOf(
  network: Network,
  settings: Scep,
  context: Context,
): Omit<scep.EnrolmentRequest, 'key' | 'signature'> {
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
