/**
 * Preloaded into the agent (NODE_OPTIONS): at SIGUSR2 it says on standard output what the process holds, after a garbage
 * collection. The agent itself is the one that is installed; this only notes who is listened to.
 */
import { EventEmitter, getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

/** Every object for which one of these methods was called, as long as it lives. */
function callers(prototype, names, isMeant = () => true) {
  const known = new WeakSet()
  const refs = []
  for (const name of names) {
    const method = prototype[name]
    prototype[name] = function (...args) {
      if (isMeant(...args) && !known.has(this)) {
        known.add(this)
        refs.push(new WeakRef(this))
      }
      return method.apply(this, args)
    }
  }
  return () => {
    const living = refs.filter(ref => ref.deref() !== undefined)
    refs.splice(0, refs.length, ...living)
    return living.map(ref => ref.deref())
  }
}

const emitters = callers(EventEmitter.prototype, ['on', 'addListener', 'prependListener'])
const signals = callers(EventTarget.prototype, ['addEventListener'])
// Where our own parts keep their listeners.
const sets = callers(Set.prototype, ['add'], value => typeof value === 'function')

const sum = (all, count) => all.reduce((total, one) => total + count(one), 0)

const listeners = () => ({
  emitters: sum(emitters(), one => sum(one.eventNames(), name => one.listenerCount(name))),
  signals: sum(signals(), one => getEventListeners(one, 'abort').length),
  sets: sum(sets(), one => [...one].filter(entry => typeof entry === 'function').length),
})

process.on('SIGUSR2', () => {
  collect()
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const heap = process.memoryUsage().heapUsed / 1_048_576
  process.stdout.write(`inner ${JSON.stringify({ timers, listeners: listeners(), heap })}\n`)
})
