/** For tap's `coverage-map`: it is the pure core that has to be covered, wholly. */
import { readdirSync } from 'node:fs'

const files = readdirSync('agent/core', { recursive: true }).filter(name => name.endsWith('.ts'))

export default () => files.map(name => `agent/core/${name}`)
