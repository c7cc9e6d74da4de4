import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'

/** Below them the kernel gives to connections (ip_local_port_range): one of those could take the port of a daemon that is away. */
const [lowest, beyond] = [12_000, 32_000]

/**
 * A port of loopback that nobody listens on. It is this process's as long as that lives: laboratories run side by side, and a daemon
 * that was stopped starts again on the same port.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowest, beyond)
    if ((await listens(`\0sonde-port-${String(port)}`)) && (await isFree(port))) return port
  }
}

async function listens(name: string): Promise<boolean> {
  const reserved = net.createServer().listen(name).unref()
  return await opened(reserved)
}

async function isFree(port: number): Promise<boolean> {
  const server = net.createServer().listen(port, '127.0.0.1')
  if (!(await opened(server))) return false
  server.close()
  await once(server, 'close')
  return true
}

async function opened(server: net.Server): Promise<boolean> {
  try {
    await once(server, 'listening')
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false
    throw error
  }
}
