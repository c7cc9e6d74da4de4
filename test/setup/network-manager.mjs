/**
 * `node test/setup/network-manager.mjs`: installs NetworkManager, with which `npm run bench -- join` compares, without
 * starting or enabling it. Ends with 0, or writes why this machine cannot and ends with 69 (EX_UNAVAILABLE).
 */
import { SetupError, installPackages } from './debian.mjs'
import { networkManagerPackages } from './packages.mjs'

try {
  await installPackages(networkManagerPackages, line => process.stderr.write(`${line}\n`))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stdout.write(`${error.message.split('\n').join(' ')}\n`)
  process.exitCode = 69
}
