/** Installs the Debian packages that are missing, by name, and nothing else; starts and enables no service. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { run } from './children.mjs'

const policy = '/usr/sbin/policy-rc.d'
const saved = `${policy}.before-sonde`
const mark = '# written by the tests of sonde while they install packages'

/** An obstacle that a person has to remove: shown without a stack. */
export class SetupError extends Error {
  name = 'SetupError'
}

/** The names among `packages` that dpkg does not have installed. */
export const missing = packages => {
  let text = ''
  try {
    const format = ['-W', '-f=${Package} ${db:Status-Status}\n']
    text = execFileSync('dpkg-query', [...format, ...packages.map(({ name }) => name)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch (error) {
    if (error.code === 'ENOENT') throw new SetupError('this is not Debian: there is no dpkg-query')
    // Exit status 1 says that some are unknown; the known ones have been listed.
    text = String(error.stdout ?? '')
  }
  const installed = new Set(
    text
      .split('\n')
      .filter(line => line.endsWith(' installed'))
      .map(line => line.split(' ')[0]),
  )
  return packages.filter(({ name }) => !installed.has(name))
}

/** Forbids package scripts to start services (invoke-rc.d asks this file); `restorePolicy` takes it back. */
const forbidServices = () => {
  restorePolicy()
  process.once('exit', restorePolicy)
  if (existsSync(policy)) renameSync(policy, saved)
  writeFileSync(policy, `#!/bin/sh\n${mark}\nexit 101\n`, { mode: 0o755 })
}

/** Also undoes what a run that was killed half way has left. */
const restorePolicy = () => {
  if (existsSync(policy) && readFileSync(policy, 'utf8').includes(mark)) rmSync(policy)
  if (existsSync(saved)) renameSync(saved, policy)
}

const environment = {
  DEBIAN_FRONTEND: 'noninteractive',
  NEEDRESTART_MODE: 'l',
  UCF_FORCE_CONFFOLD: '1',
  LC_ALL: 'C.UTF-8',
}

/**
 * apt-get with its output kept for the error. Tried again after what passes or can be put right: the lock of the
 * package lists, which has no timeout of its own, and an installation that was interrupted half way.
 */
const apt = async (args, tries = 24) => {
  const options = [
    '-qq',
    '-o',
    'DPkg::Lock::Timeout=300',
    '-o',
    'Acquire::Retries=3',
    '-o',
    'Dpkg::Use-Pty=0',
  ]
  const { code, output } = await run('apt-get', [...options, ...args], { capture: true, env: environment })
  if (code === 0) return
  const says = text => output.some(line => line.includes(text))
  if (tries > 1 && says('Could not get lock')) {
    await delay(5000)
    return apt(args, tries - 1)
  }
  if (tries > 1 && says('dpkg --configure -a')) {
    await run('dpkg', ['--configure', '-a', '--force-confdef', '--force-confold'], {
      capture: true,
      env: environment,
    })
    return apt(args, 1)
  }
  throw new SetupError(`apt-get ${args.join(' ')} failed:\n${output.slice(-20).join('\n')}`)
}

/** Packages enable their services for the next boot: those that came with us are disabled again. */
const disableServices = async packages => {
  const units = packages.flatMap(({ units = [] }) => units)
  if (units.length === 0 || !existsSync('/usr/bin/systemctl')) return
  await run('systemctl', ['--quiet', 'disable', ...units], { capture: true, env: { SYSTEMD_OFFLINE: '1' } })
}

/** Leaves every one of `packages` installed. Throws a SetupError that says what a person has to do. */
export const installPackages = async (packages, say) => {
  const absent = missing(packages)
  if (absent.length === 0) return
  const names = absent.map(({ name }) => name)
  if (process.getuid() !== 0)
    throw new SetupError(`missing Debian packages: ${names.join(' ')}\ninstall them, or run this as root`)
  if (!existsSync('/usr/bin/apt-get')) throw new SetupError(`no apt-get here to install ${names.join(' ')}`)
  say(`installing Debian packages: ${names.join(' ')}`)
  await apt(['update'])
  forbidServices()
  try {
    const confirm = ['-y', '-o', 'Dpkg::Options::=--force-confdef', '-o', 'Dpkg::Options::=--force-confold']
    await apt(['install', '--no-install-recommends', ...confirm, ...names])
    await disableServices(absent)
  } finally {
    restorePolicy()
  }
  const still = missing(packages)
  if (still.length > 0) throw new SetupError(`not installed: ${still.map(({ name }) => name).join(' ')}`)
}
