/** How the servers that people have look from outside (B-04, B-05, B-10, B-11). */
import type { X509Certificate } from 'node:crypto'
import { bag, fixtureKey, issuedBy, rootCa, type Holder } from './authority.ts'

export interface Shape {
  /** Path of the service; the query of the URL too, where there is one. */
  path: string
  caps: string | undefined
  /** The body of GetCACert and its Content-Type. */
  caReply: { type: string; body: Buffer }
  /** `message` that GetCACert demands. */
  message?: string
  /** Who issues, who opens requests, who signs replies. */
  ca: Holder
  decrypter: Holder
  signer: Holder
}

const allCaps = 'POSTPKIOperation\nRenewal\nSHA-1\nSHA-256\nSHA-512\nAES\nDES3\nSCEPStandard\nGetNextCACert\n'

/** One root that does everything, like Debian's server. */
export function plainShape(): Shape {
  const ca = rootCa('Test Root', fixtureKey('rsa-2048-a'))
  return {
    path: '/scep',
    caps: allCaps,
    caReply: { type: 'application/x-x509-ca-cert', body: ca.certificate.raw },
    ca,
    decrypter: ca,
    signer: ca,
  }
}

/** Microsoft NDES: RA to sign, RA to encipher, CA, in this order; a trailing `?`; CRLF; `message` demanded. */
export function ndesShape(order: (all: X509Certificate[]) => X509Certificate[] = all => all): Shape {
  const ca = rootCa('Corp CA', fixtureKey('rsa-2048-a'), {
    usage: ['keyCertSign', 'cRLSign', 'digitalSignature'],
  })
  const signer = issuedBy(ca, 'NDES-MSCEP-RA', fixtureKey('rsa-2048-b'), { usage: ['digitalSignature'] })
  const decrypter = issuedBy(ca, 'NDES-MSCEP-RA', fixtureKey('rsa-2048-c'), { usage: ['keyEncipherment'] })
  return {
    path: '/certsrv/mscep/mscep.dll/pkiclient.exe?',
    message: 'CAIdentifier',
    caps: 'POSTPKIOperation\r\nRenewal\r\nSHA-512\r\nSHA-256\r\nSHA-1\r\nDES3\r\n',
    caReply: {
      type: 'application/x-x509-ca-ra-cert',
      body: bag(order([signer.certificate, decrypter.certificate, ca.certificate])),
    },
    ca,
    decrypter,
    signer,
  }
}

/** ClearPass Onboard: an intermediate issues, one RA does both, and the chain comes root first. */
export function clearPassShape(): Shape {
  const root = rootCa('ClearPass Onboard Local Certificate Authority', fixtureKey('rsa-2048-a'))
  const ca = issuedBy(root, 'ClearPass Onboard Signing', fixtureKey('rsa-2048-b'), {
    ca: true,
    usage: ['keyCertSign', 'cRLSign'],
  })
  const ra = issuedBy(ca, 'SCEP RA', fixtureKey('rsa-2048-c'), {
    ca: false,
    usage: ['digitalSignature', 'keyEncipherment'],
  })
  return {
    path: '/onboard/mdps_scep.php/1',
    caps: 'POSTPKIOperation\nSHA-1\nSHA-256\nDES3\n',
    caReply: {
      type: 'application/x-x509-ca-ra-cert; charset=binary',
      body: bag([root.certificate, ra.certificate, ca.certificate]),
    },
    ca,
    decrypter: ra,
    signer: ra,
  }
}

/** EJBCA: an alias in the path, the CA itself answers, without root. */
export function ejbcaShape(): { shape: Shape; root: Holder } {
  const root = rootCa('EJBCA Root', fixtureKey('rsa-2048-a'))
  const ca = issuedBy(root, 'EJBCA Sub', fixtureKey('rsa-2048-b'), {
    ca: true,
    pathLength: 0,
    usage: ['keyCertSign', 'cRLSign', 'digitalSignature'],
  })
  return {
    root,
    shape: {
      path: '/ejbca/publicweb/apply/scep/alias/pkiclient.exe',
      caps: allCaps.replace('SHA-512\n', ''),
      caReply: { type: 'application/x-x509-ca-cert', body: bag([ca.certificate]) },
      ca,
      decrypter: ca,
      signer: ca,
    },
  }
}

/** OpenXPKI: a query of its own, an RA without keyUsage first, an unknown keyword in the capabilities. */
export function openXpkiShape(): Shape {
  const root = rootCa('OpenXPKI Root', fixtureKey('rsa-2048-a'))
  const ca = issuedBy(root, 'OpenXPKI Issuing CA', fixtureKey('rsa-2048-b'), {
    ca: true,
    usage: ['keyCertSign', 'cRLSign'],
  })
  const ra = issuedBy(root, 'SCEP Token', fixtureKey('rsa-2048-c'))
  return {
    path: '/scep/generic?mac=b827eb123456',
    caps: 'renewal\npostpkioperation\nsha-1\nsha-256 \nAES\nUpdate\n',
    caReply: {
      type: 'application/x-x509-ca-ra-cert',
      body: bag([ra.certificate, ca.certificate, root.certificate]),
    },
    ca,
    decrypter: ra,
    signer: ra,
  }
}
