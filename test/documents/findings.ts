/** Every finding that the agent can report, read out of the sources: the table of codes in docs/operations.md. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type TS from 'typescript'
import { ts } from './typescript.ts'

export interface FindingRow {
  code: string
  side: string
  title: string
  hint: string
}

/** Who has to act, where the sources name a kind of SCEP problem instead (agent/effects/findings.ts). */
const sideOfKind: Readonly<Record<string, string>> = {
  unreachable: 'network',
  misconfigured: 'configuration',
}

const found = new Map<string, Promise<FindingRow[]>>()

/** The findings of all sources below `top`, by code. They are read once: to parse them takes a second. */
export function findings(top: string): Promise<FindingRow[]> {
  const known = found.get(top) ?? readFindings(top)
  found.set(top, known)
  return known
}

async function readFindings(top: string): Promise<FindingRow[]> {
  const rows = new Map<string, FindingRow>()
  for (const folder of ['agent', 'supplicant']) {
    const names = (await readdir(join(top, folder), { recursive: true })).filter(name => name.endsWith('.ts'))
    const texts = names.map(async name => ({ name, text: await readFile(join(top, folder, name), 'utf8') }))
    for (const isScep of [true, false]) {
      const own = (await Promise.all(texts)).filter(({ name }) => name.startsWith('scep/') === isScep)
      for (const row of findingsIn(own.map(({ text }) => text))) {
        const code = isScep ? `scep-${row.code}` : row.code
        if (!rows.has(code)) rows.set(code, { ...row, code })
      }
    }
  }
  return [...rows.values()].sort((one, other) => one.code.localeCompare(other.code))
}

/** Values of names: constants, and the parameters of a function that makes findings. */
type Scope = ReadonlyMap<string, string>

/** `const unreachable = (code, detail, hint) => new ScepError({ … })`: each call is a finding, or one more hint where the code is fixed. */
interface Maker {
  parameters: string[]
  literal: TS.ObjectLiteralExpression
}

interface File {
  source: TS.SourceFile
  scope: Scope
}

/** Object literals with a title, whose code stands in them, is the key they are the value of, or an argument. */
export function findingsIn(texts: readonly string[]): FindingRow[] {
  const makers = new Map<string, Maker>()
  const rows: FindingRow[] = []
  for (const { source, scope } of filesWithFindings(texts, makers))
    each(source, node => {
      const maker = ts.isCallExpression(node) && makers.get(node.expression.getText())
      const row = maker
        ? rowOf(maker.literal, called(node, maker, scope))
        : ts.isObjectLiteralExpression(node) && rowOf(node, scope)
      if (!row) return
      const same = maker && !maker.parameters.includes('code') && rows.find(({ code }) => code === row.code)
      if (!same) rows.push(row)
      else if (!same.hint.includes(row.hint)) same.hint = [same.hint, row.hint].filter(Boolean).join('. ')
    })
  return rows
}

/** Those where a title stands or a maker is called, whose makers are in `makers` then: to parse the others, which are most, takes long. */
function filesWithFindings(texts: readonly string[], makers: Map<string, Maker>): File[] {
  const withTitle = new Map(
    texts.filter(text => text.includes('title')).map(text => [text, parsed(text, makers)]),
  )
  const names = [...makers.keys()]
  const calls = (text: string): boolean => names.some(name => text.includes(`${name}(`))
  return texts.flatMap(text => withTitle.get(text) ?? (calls(text) ? [parsed(text, makers)] : []))
}

function parsed(text: string, makers: Map<string, Maker>): File {
  const source = ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true)
  const scope = new Map<string, string>()
  each(source, node => {
    if (!ts.isVariableDeclaration(node) || !ts.isIdentifier(node.name) || !node.initializer) return
    const value = textOf(node.initializer, scope)
    if (value !== undefined) scope.set(node.name.text, value)
    const maker = ts.isArrowFunction(node.initializer) && makerOf(node.initializer)
    if (maker) makers.set(node.name.text, maker)
  })
  return { source, scope }
}

function each(node: TS.Node, visit: (node: TS.Node) => void): void {
  visit(node)
  ts.forEachChild(node, child => each(child, visit))
}

function makerOf(node: TS.ArrowFunction): Maker | undefined {
  const parameters = node.parameters.map(parameter => parameter.name.getText())
  if (!parameters.includes('code') && !parameters.includes('hint')) return undefined
  let literal: TS.ObjectLiteralExpression | undefined
  each(node.body, inner => {
    if (ts.isObjectLiteralExpression(inner)) literal ??= inner
  })
  return literal && { parameters, literal }
}

const called = (node: TS.CallExpression, { parameters }: Maker, scope: Scope): Scope => {
  const inner = new Map(scope)
  parameters.forEach((parameter, place) => {
    const argument = node.arguments[place]
    const value = argument && textOf(argument, scope)
    if (value !== undefined) inner.set(parameter, value)
  })
  return inner
}

function rowOf(node: TS.ObjectLiteralExpression, scope: Scope): FindingRow | undefined {
  const values = new Map<string, string | undefined>()
  for (const property of node.properties) {
    const name = property.name?.getText() ?? ''
    if (ts.isPropertyAssignment(property)) values.set(name, textOf(property.initializer, scope))
    if (ts.isShorthandPropertyAssignment(property)) values.set(name, scope.get(name))
  }
  const { parent } = node
  const key = ts.isPropertyAssignment(parent) ? nameOf(parent.name) : undefined
  const code = values.has('code') ? values.get('code') : key
  const air = onTheAir(node, scope)
  const [title, hint] = [
    both(values.get('title'), air.get('title')),
    both(values.get('hint'), air.get('hint')),
  ]
  const kind = values.get('kind')
  const side = values.get('side') ?? (kind === undefined ? undefined : (sideOfKind[kind] ?? 'server'))
  if (code === undefined || title === undefined || side === undefined) return undefined
  // Two codes in one literal stand elsewhere as well, each with what belongs to it.
  if (code.includes(orElse)) return undefined
  return { code, side, title, hint: hint ?? '' }
}

/** What is said instead where the network is joined by radio. */
function onTheAir(node: TS.ObjectLiteralExpression, scope: Scope): Scope {
  const values = new Map<string, string>()
  for (const property of node.properties) {
    if (!ts.isPropertyAssignment(property) || property.name.getText() !== 'onTheAir') continue
    each(property.initializer, inner => {
      const value = ts.isPropertyAssignment(inner) && textOf(inner.initializer, scope)
      if (value) values.set(inner.name.getText(), value)
    })
  }
  return values
}

const both = (wire: string | undefined, air: string | undefined): string | undefined =>
  wire === undefined || air === undefined ? wire : `${wire.replace(/\.$/, '')}. On the air: ${air}`

/** Between what is said in one case and in the other. */
const orElse = '. Or: '

const nameOf = (name: TS.PropertyName): string | undefined =>
  ts.isIdentifier(name) || ts.isStringLiteral(name) ? name.text : undefined

/** A literal's text; an ellipsis for what a template fills in. */
function textOf(node: TS.Node, scope: Scope): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(span => `…${span.literal.text}`).join('')
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [textOf(node.left, scope), textOf(node.right, scope)]
    return left === undefined || right === undefined ? undefined : left + right
  }
  if (ts.isConditionalExpression(node) && ts.isBinaryExpression(node.condition)) {
    const holds = textOf(node.condition.left, scope) === textOf(node.condition.right, scope)
    return textOf(holds ? node.whenTrue : node.whenFalse, scope)
  }
  // What is decided when it happens: the table has both.
  if (ts.isConditionalExpression(node)) {
    const [one, other] = [textOf(node.whenTrue, scope), textOf(node.whenFalse, scope)]
    return one && other && one + orElse + other
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken)
    return textOf(node.left, scope) ?? textOf(node.right, scope)
  return ts.isIdentifier(node) ? scope.get(node.text) : undefined
}

const marker = /<!-- findings -->\n[\s\S]*?<!-- end -->/

/** The text with its table of findings made anew. */
export const withFindings = (text: string, rows: readonly FindingRow[]): string =>
  text.replace(marker, `<!-- findings -->\n${tableOf(rows)}\n<!-- end -->`)

const tableOf = (rows: readonly FindingRow[]): string =>
  [
    '| code | side | what | what to do |',
    '|---|---|---|---|',
    ...rows.map(row => `| \`${row.code}\` | ${row.side} | ${cell(row.title)} | ${cell(row.hint)} |`),
  ].join('\n')

const cell = (text: string): string =>
  text.replaceAll('|', '\\|').replace(/^./, letter => letter.toUpperCase())
