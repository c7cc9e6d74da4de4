/** A cluster of three nats-servers with JetStream, every stream on all of them; each node can be killed. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { daemon, type Broker } from './broker.ts'

export interface Cluster extends AsyncDisposable {
  nodes: Broker[]
}

export async function natsCluster(): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'sonde-cluster-'))
  const ports: { mqtt: number; client: number; route: number }[] = []
  for (let i = 0; i < 3; i++)
    ports.push({ mqtt: await freePort(), client: await freePort(), route: await freePort() })
  const routes = ports.map(({ route }) => `nats://127.0.0.1:${route}`).join(', ')
  const nodes = await Promise.all(
    ports.map(async ({ mqtt, client, route }, i) => {
      const directory = join(folder, String(i))
      const file = join(folder, `${i}.conf`)
      await writeFile(
        file,
        `server_name: n${i}
listen: 127.0.0.1:${client}
jetstream { store_dir: "${directory}" }
cluster { name: lab, listen: "127.0.0.1:${route}", routes: [${routes}] }
mqtt { host: 127.0.0.1, port: ${mqtt}, stream_replicas: 3 }
`,
      )
      // Said by every node; before that no session can be made, because no stream can be placed.
      return daemon('nats-server', ['-c', file], /new (JetStream cluster )?metadata leader/, directory, mqtt)
    }),
  )
  return {
    nodes,
    [Symbol.asyncDispose]: async () => {
      for (const node of nodes) await node[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
