import { RadiusServer, type RadiusSettings } from './radius.ts'

// Run inside the switch's namespace: the settings come as the only argument, readiness is one line.
const server = new RadiusServer(JSON.parse(process.argv[2] ?? '{}') as RadiusSettings)
await server.listen()
process.stdout.write('ready\n')
