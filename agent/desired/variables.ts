/**
 * `{serial} {name} {hostname} {fqdn} {mac} {model}` in the texts of a profile (S2-24..32).
 * Pure. A variable without a value is an error that names it: a certificate for nobody is worse than none.
 */
import { AgentError } from '../errors.ts'
import { nearest } from './problems.ts'
import type { Identity } from '../types.ts'

const variableNames = ['serial', 'name', 'hostname', 'fqdn', 'mac', 'model'] as const
export type VariableName = (typeof variableNames)[number]
export type Variables = Partial<Record<VariableName, string>>

const variable = /\{([^{}]*)\}/g
const isVariable = (name: string): name is VariableName => (variableNames as readonly string[]).includes(name)

/** The values for one network: `{name}` is the sensor's display name, `{mac}` that of the network's own interface. */
export function variablesFor(identity: Identity, name: string, networkInterface: string): Variables {
  return {
    serial: identity.serial,
    name,
    hostname: identity.hostname,
    fqdn: identity.fqdn,
    mac: identity.macs[networkInterface] ?? '',
    model: identity.model,
  }
}

/** The variables a text asks for and that have no value; [] when it can be written. */
export function missingVariables(text: string, values: Variables): string[] {
  const names = [...text.matchAll(variable)].map(match => match[1] ?? '')
  return [...new Set(names.filter(name => !isVariable(name) || (values[name] ?? '') === ''))]
}

/** What is wrong with the variables of a template, before anything is known of the sensor. */
export function unknownVariable(text: string): { message: string; hint: string } | undefined {
  for (const [, name = ''] of text.matchAll(variable)) {
    if (isVariable(name)) continue
    const near = nearest(name, variableNames)
    const known = variableNames.map(known => `{${known}}`).join(' ')
    return {
      message: `{${name.slice(0, 48)}} is not a variable`,
      hint: near === undefined ? `known are ${known}` : `did you mean {${near}}?`,
    }
  }
  return undefined
}

/**
 * The text with its variables replaced.
 * @param where the field, for the error: `scep.subject.commonName`
 * @throws AgentError `variable-without-value`, naming the variable and the field
 */
export function substitute(text: string, values: Variables, where: string): string {
  const missing = missingVariables(text, values)[0]
  if (missing !== undefined) {
    throw new AgentError({
      code: 'variable-without-value',
      title: `{${missing}} has no value on this sensor`,
      detail: `${where} asks for {${missing}}`,
      hint: hints[missing as VariableName] ?? `write another variable or a fixed text in ${where}`,
      side: 'configuration',
      retry: 'change',
    })
  }
  return text.replace(variable, (_, name: VariableName) => values[name] ?? '')
}

const hints: Partial<Record<VariableName, string>> = {
  name: 'give the sensor a "name" in its sensor document',
  serial: 'set "serial" in the settings of the sensor',
  fqdn: 'give the host a domain name, or use {hostname}',
}
