/**
 * Child processes that never outlive us: each runs in a process group of its own, signals are passed on
 * to whole groups, and a group that does not end by itself is killed.
 */
import { spawn } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

/** Groups that may still have members, by the process id of their leader. */
const groups = new Set()

/** Set by the first signal: from then on nothing is started and nobody is told of an end, which the signal caused. */
let stopping = false

const never = () => new Promise(() => {})

/** How long a group may take to clean up after a signal: a lab has namespaces and daemons to remove. */
const patience = 30_000

/** proc(5): pid (comm) state ppid pgrp …; only the comm can hold a parenthesis. */
const stat = pid => {
  const [state, parent, group] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return { state, parent: Number(parent), group: Number(group) }
}

/**
 * True while a process of the group runs. Zombies do not count: in a container whose first process collects no
 * orphans they stay for ever.
 */
const exists = group => {
  try {
    process.kill(-group, 0)
  } catch (error) {
    if (error.code === 'ESRCH') return false
    if (error.code !== 'EPERM') throw error
  }
  return readdirSync('/proc').some(name => {
    if (!/^\d+$/.test(name)) return false
    try {
      const { state, group: its } = stat(name)
      return its === group && state !== 'Z' && state !== 'X'
    } catch {
      return false
    }
  })
}

const signalGroup = (group, signal) => {
  try {
    process.kill(-group, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** Resolves to false when the group still has members after `milliseconds`. */
const emptied = async (group, milliseconds) => {
  const end = performance.now() + milliseconds
  while (exists(group)) {
    if (performance.now() > end) return false
    await delay(50)
  }
  return true
}

const end = async (group, signal) => {
  signalGroup(group, signal)
  if (!(await emptied(group, patience))) signalGroup(group, 'SIGKILL')
}

/**
 * Runs a command to its end. `onLine(line)` gets every line of its standard output; without it the output
 * is ours. With `capture`, standard error is collected too. Resolves when no process of the group is left
 * to `{ code, stragglers, output }`: `code` is null when the command was killed by a signal or by its limit of
 * `minutes`, `stragglers` is true when it left processes behind, which have been ended then.
 */
export const run = async (command, args, { onLine, capture = false, env, minutes = 30 } = {}) => {
  if (stopping) return never()
  const piped = capture || onLine ? 'pipe' : 'inherit'
  const child = spawn(command, args, {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', piped, capture ? 'pipe' : 'inherit'],
  })
  const output = []
  const keep = line => output.push(line)
  const lines = [child.stdout, child.stderr].filter(Boolean).map(async stream => {
    for await (const line of createInterface({ input: stream })) {
      if (capture) keep(line)
      onLine?.(line)
    }
  })
  if (child.pid !== undefined) groups.add(child.pid)
  const limit = setTimeout(() => void end(child.pid, 'SIGTERM'), minutes * 60_000)
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  }).finally(() => clearTimeout(limit))
  const stragglers = !(await emptied(child.pid, 2000))
  if (stragglers) await end(child.pid, 'SIGTERM')
  await Promise.all(lines)
  groups.delete(child.pid)
  if (stopping) return never()
  return { code, stragglers, output }
}

/** Our parent; under npm, which starts a shell that starts us, the parent's parent as well. */
const ancestors = () => {
  const parent = process.ppid
  if (process.env.npm_lifecycle_event === undefined) return String(parent)
  try {
    return `${parent} ${stat(parent).parent}`
  } catch {
    return ''
  }
}

/**
 * Passes SIGINT, SIGTERM and SIGHUP on to all groups, waits until they are gone, then calls `stopped(signal)`.
 * A second signal kills at once; one that arrives within a second is the same keystroke coming through
 * npm as well. The death of our ancestors, which no signal announces, counts as SIGHUP. Returns what undoes all this.
 */
export const passSignals = stopped => {
  let first
  const stop = async signal => {
    if (first !== undefined) {
      if (performance.now() - first > 1000) for (const group of groups) signalGroup(group, 'SIGKILL')
      return
    }
    first = performance.now()
    stopping = true
    await Promise.all([...groups].map(group => end(group, signal)))
    stopped(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, stop)
  const before = ancestors()
  const watch = setInterval(() => {
    if (ancestors() !== before) void stop('SIGHUP')
  }, 1000).unref()
  return () => {
    clearInterval(watch)
    for (const signal of signals) process.off(signal, stop)
  }
}
