/**
 * `node test/setup/extra.mjs NAME`: installs what is run against where it is there, and is too much for every machine, without
 * starting or enabling it. Ends with 0, or writes why this machine cannot and ends with 69 (EX_UNAVAILABLE).
 */
import { SetupError, installPackages } from './debian.mjs'
import { extraPackages } from './packages.mjs'

try {
  const [name = ''] = process.argv.slice(2)
  const packages = extraPackages[name]
  if (packages === undefined) throw new SetupError(`NAME is one of ${Object.keys(extraPackages).join(', ')}`)
  await installPackages(packages, line => process.stderr.write(`${line}\n`))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stdout.write(`${error.message.split('\n').join(' ')}\n`)
  process.exitCode = 69
}
