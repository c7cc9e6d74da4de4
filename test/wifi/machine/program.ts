import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { run } from '../../lab/command.ts'
import { checkout } from '../../lab/pki.ts'

/** One file of a program and all it imports, which an emulated processor reads in a second; `source` lies in test/wifi. */
export async function bundle(source: string, file: string): Promise<void> {
  await build({
    absWorkingDir: checkout(),
    entryPoints: [join('test/wifi', source)],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    sourcemap: 'inline',
    logLevel: 'warning',
    // Modules that look for their own place find the bundle's.
    define: { 'import.meta.url': 'ownUrl' },
    banner: { js: `const ownUrl = require('node:url').pathToFileURL(__filename).href` },
    // Optional extras of dbus-next for a display and for passing file descriptors.
    external: ['x11', 'usocket'],
  })
}

/** The agent as it is installed on a device: built, and copied to where no other build replaces it meanwhile. */
export async function agent(folder: string): Promise<void> {
  await run(process.execPath, ['test/setup/build.mjs'], { cwd: checkout(), deadlineMs: 60_000 })
  for (const name of ['sonde.cjs', 'agent.cjs', 'systeminformation.cjs'])
    await copyFile(join(checkout(), 'dist', name), join(folder, name))
}
