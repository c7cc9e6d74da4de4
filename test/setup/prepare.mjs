/** From a fresh clone to a tree that runs: Node, Debian packages, npm packages. Imports node:* only. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { run } from './children.mjs'
import { SetupError, installPackages } from './debian.mjs'
import { packages } from './packages.mjs'
import { forbidden, searchPath, temporaryFolder } from './surroundings.mjs'

export { SetupError }

/** The top of the work tree, with a slash at its end. */
export const top = new URL('../../', import.meta.url)

const read = name => JSON.parse(readFileSync(new URL(name, top), 'utf8'))

const checkNode = () => {
  const wanted = read('package.json').engines.node.match(/\d+/g).map(Number)
  const present = process.versions.node.split('.').map(Number)
  const differing = wanted.findIndex((number, place) => number !== present[place])
  if (differing >= 0 && present[differing] < wanted[differing])
    throw new SetupError(`Node ${wanted.join('.')} or later is needed, this is ${process.versions.node}`)
}

/** True when node_modules holds what the lock file says; a half-finished install has no list of its own. */
const npmIsCurrent = () => {
  try {
    const present = read('node_modules/.package-lock.json').packages
    return Object.entries(read('package-lock.json').packages).every(
      ([path, { version, optional, peer }]) =>
        path === '' ||
        present[path]?.version === version ||
        (present[path] === undefined && (optional || peer)),
    )
  } catch {
    return false
  }
}

/** Also where NODE_ENV=production, or a setting of npm's, leaves out what only tests need: all of this is tests. */
export const npmWords = ['ci', '--include=dev']

/** `npm ci` with the npm that started us. */
const installNpm = async say => {
  say('installing npm packages')
  const npm = process.env.npm_execpath
  const [command, args] = npm ? [process.execPath, [npm, ...npmWords]] : ['npm', npmWords]
  const { code, output } = await run(command, args, { capture: true }).catch(error => {
    throw new SetupError(`npm cannot be started: ${error.message}`, { cause: error })
  })
  if (code !== 0) throw new SetupError(`npm ci failed:\n${output.slice(-20).join('\n')}`)
}

/**
 * Brings the machine to where tests and demonstration can run; does nothing when it is there already.
 * Throws a SetupError whose text tells a person what to do.
 */
export const prepare = async say => {
  process.env.TMPDIR = temporaryFolder()
  process.env.PATH = searchPath(process.env.PATH)
  process.chdir(fileURLToPath(top))
  checkNode()
  if (process.getuid() !== 0)
    throw new SetupError(
      'network namespaces need root: run this as root (npm run test:unit does not need it)',
    )
  const obstacle = forbidden()
  if (obstacle !== undefined)
    throw new SetupError(
      `network namespaces need more rights: ${obstacle}. Is this a container? Start it with --privileged`,
    )
  // Side by side; none is left half way because the other failed.
  const installed = await Promise.allSettled([
    installPackages(packages, say),
    npmIsCurrent() ? undefined : installNpm(say),
  ])
  for (const { reason } of installed) if (reason !== undefined) throw reason
}

/** What the machine is short of, and what a person can do. */
const shortages = {
  EMFILE: 'a process may open too few files: ulimit -n 1024',
  ENFILE: 'this machine has too many files open',
  ENOSPC: 'make room on the disk',
}

/** Shows a SetupError, and what the machine is short of, as text and anything else with its stack; returns the exit code. */
export const explain = error => {
  const short = shortages[error.code]
  if (short !== undefined) process.stderr.write(`\n${error.message}\n${short}\n`)
  else process.stderr.write(error instanceof SetupError ? `\n${error.message}\n` : `${error.stack}\n`)
  return 1
}
