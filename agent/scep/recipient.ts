/** Which certificate of GetCACert the envelope is for (B-11). */
import type { X509Certificate } from 'node:crypto'
import { fieldsOf, isCa, isSelfSigned, sameCertificate, subjectText } from './certificate.ts'
import { ScepError, type Warning } from './errors.ts'

/**
 * The recipient is an end-entity certificate with keyEncipherment, else with dataEncipherment, else the only or first RA, else
 * the lowest CA. NDES sets only one flag on each of its two RA certificates, step-ca puts its decrypter first; order means nothing.
 * Throws `recipient-missing`.
 */
export function selectRecipient(received: readonly X509Certificate[], warnings: Warning[]): X509Certificate {
  const cas = received.filter(isCa)
  const ras = received.filter(each => !isCa(each) && isRsa(each))
  const recipient = forEnciphering(ras, warnings) ?? lowest(cas)
  if (!recipient || !isRsa(recipient))
    throw new ScepError({
      code: 'recipient-missing',
      kind: 'misconfigured',
      title: 'The SCEP server has no key to encrypt to',
      detail: recipient
        ? `"${subjectText(recipient)}" has a ${recipient.publicKey.asymmetricKeyType ?? 'strange'} key, which cannot encipher`
        : 'GetCACert returned no usable certificate',
      hint: 'Give the SCEP server an RSA key or an RA certificate with one (RFC 8894 §3.1)',
    })
  const bits = recipient.publicKey.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < 2048)
    warnings.push({
      code: 'weak-key',
      text: `"${subjectText(recipient)}" has an RSA key of ${String(bits)} bits only`,
    })
  return recipient
}

/** Not marked for other things only. */
export function isForEnciphering(certificate: X509Certificate): boolean {
  const { keyUsage } = fieldsOf(certificate)
  return keyUsage === undefined || keyUsage.has('keyEncipherment') || keyUsage.has('dataEncipherment')
}

/** The CA that has issued no other of them; of several such the one that is no root, since a root beside it is there for another reason. */
function lowest(cas: readonly X509Certificate[]): X509Certificate | undefined {
  const issuing = cas.filter(
    ca =>
      !cas.some(other => !sameCertificate(other, ca) && fieldsOf(other).issuer.equals(fieldsOf(ca).subject)),
  )
  return issuing.find(ca => !isSelfSigned(ca)) ?? issuing[0] ?? cas[0]
}

const isRsa = (certificate: X509Certificate): boolean => certificate.publicKey.asymmetricKeyType === 'rsa'

function forEnciphering(ras: X509Certificate[], warnings: Warning[]): X509Certificate | undefined {
  const usage = (each: X509Certificate) => fieldsOf(each).keyUsage
  const exact =
    ras.find(each => usage(each)?.has('keyEncipherment')) ??
    ras.find(each => usage(each)?.has('dataEncipherment')) ??
    ras.find(each => usage(each) === undefined)
  if (exact) return exact
  const guessed = ras.at(-1)
  if (guessed)
    warnings.push({
      code: 'recipient-guessed',
      text: `No RA certificate is marked for enciphering; "${subjectText(guessed)}" is used`,
    })
  return guessed
}
