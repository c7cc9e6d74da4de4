/** `caps`, `ca` and `inspect`: what a server says of itself, and what a file holds. */
import {
  describe,
  describeCertificate,
  establishTrust,
  getCaCaps,
  getCaCertificates,
  ScepError,
  type Described,
} from '../scep/index.ts'
import { readBytes, UsageError, type Options } from './options.ts'
import { lines, sayFailure, warningLines, type Io } from './output.ts'
import { connect, serverOf, trustSettingsOf } from './session.ts'

const print = (value: Described, options: Options, io: Io): void => {
  io.out(options.flag('json') ? `${JSON.stringify(value)}\n` : `${lines(value).join('\n')}\n`)
}

/** The capabilities of a server. */
export async function caps(options: Options, io: Io): Promise<number> {
  const { roots } = await trustSettingsOf(options)
  using transport = connect(serverOf(options), options, io, roots)
  const found = await getCaCaps(transport, io.signal)
  if (options.flag('json'))
    io.out(`${JSON.stringify({ answered: found.answered, keywords: found.keywords })}\n`)
  else io.out(found.answered ? `${found.keywords.join('\n')}\n` : 'The server advertises nothing\n')
  return 0
}

/** The certificates of a server, what each is for, and whether they are trusted. */
export async function ca(options: Options, io: Io): Promise<number> {
  const settings = await trustSettingsOf(options)
  using transport = connect(serverOf(options), options, io, settings.roots)
  const reply = await getCaCertificates(transport, io.signal)
  const certificates = reply.certificates.map(describeCertificate)
  const json = options.flag('json')
  if (!json) print(certificates, options, io)
  try {
    const { basis, recipient, pin, warnings } = establishTrust(reply, settings, new Date())
    const { subject } = describeCertificate(recipient)
    if (json)
      io.out(
        `${JSON.stringify({ outcome: 'trusted', basis, pin, recipient: subject, certificates, warnings })}\n`,
      )
    else io.err(`${warningLines(warnings)}✓ trusted by ${basis}, requests are encrypted to ${subject}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof ScepError)) throw error
    return sayFailure(error, json, io, { certificates })
  }
}

/** A message, request, certificate or bag in a file, decoded. */
export async function inspect(options: Options, io: Io): Promise<number> {
  const [file, ...more] = options.positionals
  if (file === undefined || more.length > 0)
    throw new UsageError('exactly one file is needed (- is standard input)')
  const bytes = file === '-' ? await io.input() : await readBytes(file)
  let described: Described
  try {
    described = describe(bytes)
  } catch (error) {
    throw new UsageError(
      `${file} cannot be decoded: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  print(described, options, io)
  return 0
}
