/** One whole enrolment against a server, as the agent does it; every part can be replaced. */
import type { KeyObject } from 'node:crypto'
import {
  alternativeName,
  establishTrust,
  getCaCaps,
  getCaCertificates,
  openTransport,
  prepareEnrolment,
  requestCertificate,
  ScepError,
  type Enrolment,
  type Limits,
  type Outcome,
  type RequestSettings,
  type Step,
  type TrustSettings,
} from '../../../agent/scep/index.ts'
import { fixtureKey } from '../../scep-server/authority.ts'

export interface Enrolling {
  key?: KeyObject
  transportKey?: KeyObject
  commonName?: string
  names?: string[]
  challengePassword?: string
  trust?: Partial<TrustSettings>
  settings?: Partial<RequestSettings>
  caIdentifier?: string
  limits?: Partial<Limits>
  enrolment?: Enrolment
  onStep?: (step: Step) => void
  signal?: AbortSignal
}

export const plainSettings: RequestSettings = {
  encryption: 'AES-128',
  signature: 'SHA-256',
  keyTransport: 'PKCS1',
}

/** Everything fetched, decided and made that a request needs. */
export async function prepared(url: string, options: Enrolling = {}) {
  const { key = fixtureKey('rsa-2048-d'), signal = AbortSignal.timeout(10_000) } = options
  const transport = openTransport(
    { url, caIdentifier: options.caIdentifier ?? 'CAIdentifier' },
    {},
    { limits: options.limits, onStep: options.onStep },
  )
  const settings = { ...plainSettings, ...options.settings }
  const [caps, reply, enrolment] = await Promise.all([
    getCaCaps(transport, signal),
    getCaCertificates(transport, signal),
    options.enrolment ??
      prepareEnrolment({
        key,
        subject: { commonName: options.commonName ?? 'sensor-1' },
        names: (options.names ?? []).map(alternativeName),
        challengePassword: options.challengePassword,
        transportKey: options.transportKey,
        signature: settings.signature === 'automatic' ? 'SHA-256' : settings.signature,
      }),
  ])
  const trust = establishTrust(reply, { roots: [], fingerprint: null, ...options.trust }, new Date())
  return { transport, caps, reply, trust, enrolment, key, settings, signal }
}

/** Enrols; the connections are closed afterwards. */
export async function enrol(
  url: string,
  options: Enrolling = {},
): Promise<Outcome & { enrolment: Enrolment }> {
  const { transport, caps, trust, enrolment, key, settings, signal } = await prepared(url, options)
  try {
    return {
      ...(await requestCertificate(transport, caps, trust, enrolment, key, settings, signal)),
      enrolment,
    }
  } finally {
    transport.close()
  }
}

/** The ScepError that a promise rejects with; anything else fails loudly. */
export async function scepErrorOf(promise: Promise<unknown>): Promise<ScepError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof ScepError) return error
    throw new Error('it threw something else', { cause: error })
  }
  throw new Error('it did not throw')
}

/** The same for something synchronous. */
export function thrownBy(body: () => unknown): ScepError {
  try {
    body()
  } catch (error) {
    if (error instanceof ScepError) return error
    throw new Error('it threw something else', { cause: error })
  }
  throw new Error('it did not throw')
}
