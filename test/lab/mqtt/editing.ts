/** `sonde fleet network add|edit` by a file, in an editor and by questions: the program itself, on a real broker. */
import { existsSync } from 'node:fs'
import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { corp, but, onboarding } from '../../unit/desired/documents.ts'
import { mosquitto } from './broker.ts'
import { fleet as fleetOf } from './console.ts'
import { operator } from './operator.ts'
import { sonde, type Circumstances } from './program.ts'
import { until } from './sensor.ts'

t.test('network profiles by file, editor and questions (S2-08, S2-10, S2-14 to S2-49)', async t => {
  await using broker = await mosquitto()
  await using watcher = await operator(broker.url, ['sonde/networks/+'])
  const folder = t.testdir()
  const fleet = (line: string, circumstances: Circumstances = {}) =>
    sonde(['fleet', ...line.split(' '), '--broker', broker.url, '--wait', '0'], circumstances)
  const published = (id: string) => watcher.on(`sonde/networks/${id}`).at(-1)?.json()
  const path = (name: string) => join(folder, name)
  /** A program that stands for a person at an editor; `$1` is the file. */
  const editor = async (name: string, script: string) => {
    await writeFile(path(name), `#!/bin/sh\n${script}\n`)
    await chmod(path(name), 0o700)
    return path(name)
  }

  await t.test('--file', async t => {
    const file = path('onboarding.json')
    await writeFile(file, JSON.stringify(onboarding))
    t.match(await fleet(`network add onboarding --file ${file}`), { code: 0, out: /onboarding is published/ })
    t.same(published('onboarding'), onboarding)
    const secret = `"challengePassword": "hush-hush"`
    const cases: [string, string, RegExp][] = [
      ['no JSON', `{\n  ${secret},\n}`, /is not JSON: line 3/],
      ['a list', '[]', /is JSON, but no object/],
      ['another version of the form', JSON.stringify(but(corp, 'schema', 2)), /schema: /],
      ['an unknown key', JSON.stringify({ ...corp, alais: 'x' }), /alais: .*alias/],
      ['too large', JSON.stringify({ ...corp, alias: 'x'.repeat(1_000_000) }), /262144|256/],
    ]
    for (const [name, content, err] of cases) {
      await writeFile(file, content)
      const result = await fleet(`network add corp --file ${file}`)
      t.match(result, { code: 1, err }, name)
      t.notMatch(result.err, 'hush-hush')
    }
    t.match(await fleet(`network add corp --file ${path('none')}`), { code: 1, err: /none cannot be read/ })
    t.equal(published('corp'), undefined, 'nothing of it was published')
    await writeFile(file, JSON.stringify(corp))
    t.match(await fleet(`network add corp --file ${file}`), { code: 0 })
    t.same(published('corp'), corp)
  })

  await t.test('--edit: what is there, in the editor of the environment', async t => {
    const looks = `stat -c '%a %n' "$1" > ${path('seen')}; cp "$1" ${path('shown')}`
    const EDITOR = await editor('good', `${looks}; sed -i 's/"alias": "[^"]*"/"alias": "Edited"/' "$1"`)
    const before = watcher.on('sonde/networks/corp').length
    t.match(await fleet('network edit corp --edit', { environment: { EDITOR } }), { code: 0 })
    t.same(published('corp'), { ...corp, alias: 'Edited' })
    t.same(JSON.parse(await readFile(path('shown'), 'utf8')), corp)
    const [mode, draft = ''] = (await readFile(path('seen'), 'utf8')).trim().split(' ')
    t.equal(mode, '600')
    await t.rejects(stat(dirname(draft)), 'nothing of the draft is left')

    const bad = await editor('bad', `sed -i 's/"method": "TLS"/"method": "TSL"/' "$1"`)
    const torn = await editor('torn', `sed -i '$d' "$1"`)
    const cases: [string, Record<string, string>, RegExp][] = [
      ['nothing changed', { EDITOR: 'true' }, /nothing was changed/],
      ['VISUAL comes first', { EDITOR, VISUAL: 'true' }, /nothing was changed/],
      ['given up', { EDITOR: 'false' }, /false ended with 1; nothing is published/],
      ['no such editor', { EDITOR: 'no-such-editor' }, /ended with 127.*\n.*set VISUAL or EDITOR/],
      ['not usable', { EDITOR: bad }, /eap\.method: .*"TLS"/],
      ['no JSON any more', { EDITOR: `${torn} ` }, /what was written is not JSON/],
    ]
    for (const [name, environment, err] of cases)
      t.match(await fleet('network edit corp --edit', { environment }), { code: 1, err }, name)
    t.equal(watcher.on('sonde/networks/corp').length, before + 1, 'only the good one was published')

    t.match(await fleet('network edit corp --edit --alias X'), { code: 2, err: /not both/ })
    const again = `if grep -q TSL "$1"; then sed -i s/TSL/TLS/ "$1"; else sed -i 's/"TLS"/"TSL"/; s/hush[^"]*/again/' "$1"; fi`
    const terminal = [['Edit it again?', 'yes']] as const
    const environment = { EDITOR: await editor('again', again) }
    const corrected = await fleet('network edit corp --edit', { environment, terminal })
    t.match(
      corrected,
      { code: 0, out: /eap\.method[^]*corp is published/ },
      'where a person is there, once more',
    )
  })

  await t.test('what others have written is edited as it is, or not at all', async t => {
    // As PowerShell writes a file.
    await watcher.publish('sonde/networks/windows', Buffer.from(`\ufeff${JSON.stringify(onboarding)}`), {
      retain: true,
    })
    await watcher.publish('sonde/networks/garbage', Buffer.from('no json'), { retain: true })
    const one = (line: string) => fleetOf(broker.url, line)
    t.match((await one('network show windows')).json(), { eap: { method: 'PEAP' } })
    t.match(await one('network edit windows --alias B'), { code: 0 })
    t.same(published('windows'), { ...onboarding, alias: 'B' })
    const unreadable = { code: 1, err: /what is published for garbage is no JSON object\n.*--file/ }
    t.match(await one('network edit garbage --alias B'), unreadable, 'and nothing takes its place unasked')
    t.match(await one('network show garbage'), { code: 1, err: /garbage is no JSON/ })
    t.match(await one('export'), { code: 0, err: /garbage is no JSON object, and left out/ })
    t.match(await one(`network edit garbage --file ${path('onboarding.json')}`), { code: 0 })
  })

  await t.test('Ctrl-C in the editor is for the editor', async t => {
    const EDITOR = await editor(
      'patient',
      `trap 'echo not yet' INT; echo editing; read line; sed -i 's/"alias": "[^"]*"/"alias": "Patient"/' "$1"`,
    )
    const terminal = [['editing', '\u0003']] as const
    const result = await fleet('network edit corp --edit', { environment: { EDITOR }, terminal })
    t.match(result, { code: 0, out: /not yet[^]*corp is published/ })
    t.match(published('corp'), { alias: 'Patient' })
  })

  await t.test('what another operator publishes meanwhile is not wiped unseen', async t => {
    const waits = `touch ${path('open')}; while [ ! -e ${path('go')} ]; do sleep 0.02; done`
    const EDITOR = await editor('slow', `${waits}; sed -i 's/"alias": "[^"]*"/"alias": "Late"/' "$1"`)
    const editing = fleet('network edit corp --edit', { environment: { EDITOR } })
    await until(() => existsSync(path('open')), 20_000)
    t.match(await fleet('network edit corp --alias Early'), { code: 0 })
    await writeFile(path('go'), '')
    const late = await editing
    const refused = /another operator has published corp meanwhile, so nothing is published\n.*--force/
    t.match(late, { code: 1, err: refused })
    t.match(published('corp'), { alias: 'Early' })
    const [, kept = 'nowhere'] = /^what was written is kept in (\S+): --file takes it$/m.exec(late.err) ?? []
    t.match(JSON.parse(await readFile(kept, 'utf8')), { alias: 'Late' })
    t.equal((await stat(kept)).mode & 0o777, 0o600)
    await rm(dirname(kept), { recursive: true })
  })

  await t.test(
    'two who add one network at the same moment: one version stands, and who it is not is told',
    async t => {
      for (const id of ['first', 'second', 'third']) {
        const aliases = ['One', 'Two', 'Three']
        const add = (alias: string) =>
          fleetOf(broker.url, `network add ${id} --interface wired --alias ${alias}`)
        const results = await Promise.all(aliases.map(add))
        const winners = aliases.filter((_, i) => results[i]?.code === 0)
        t.same(winners, [published(id)?.['alias']])
        for (const { code, err } of results)
          t.match(
            err,
            code === 0
              ? /^(another operator .* taken its place\n)?$/
              : /another operator has published|is a network \w+ already/,
          )
      }
    },
  )

  await t.test(
    'questions in a terminal: what is there can be kept or taken out; secrets are not shown',
    async t => {
      const terminal = [
        ['Interface', 'wired'],
        ['Alias', 'Head office'],
        ['EAP method', 'TLS'],
        ['Name of the RADIUS server', 'radius.example.org'],
        ['Specify Server CA', ''],
        ['Enrollment network', 'nowhere'],
        ['Enrollment network', 'onboarding'],
        ['SCEP server URL', 'ftp://nowhere'],
        ['SCEP server URL', 'http://ndes.example.org/certsrv/mscep/mscep.dll/pkiclient.exe?'],
        ['Common name', '{serial}'],
        ['Alternative names', 'dns:{name}, mac'],
        ['Challenge password', 'not-to-be-seen'],
        ['Encryption', 'AES-256'],
        ['Signature', 'SHA-512'],
        ['Digest', ''],
        ['Key', 'rsa-4096'],
        ['CA certificate', ''],
        ['Root CA fingerprint', ''],
        ['Renewal', '30d'],
        ['Hours after which', '48'],
        ['Once expired', 'yes'],
      ] as const
      const added = await fleet('network add office', { terminal })
      t.equal(added.code, 0, added.out)
      t.match(
        added.out,
        /there is no network nowhere: one of .*not an http/s,
        'wrong answers are asked for again',
      )
      t.notMatch(added.out, 'not-to-be-seen')
      t.same(published('office'), {
        schema: 1,
        interface: 'wired',
        alias: 'Head office',
        eap: { method: 'TLS', serverName: 'radius.example.org' },
        scep: {
          enrollmentNetwork: 'onboarding',
          url: 'http://ndes.example.org/certsrv/mscep/mscep.dll/pkiclient.exe?',
          subject: { commonName: '{serial}' },
          alternativeNames: ['dns:{name}', 'mac'],
          challengePassword: 'not-to-be-seen',
          encryption: 'AES-256',
          signature: 'SHA-512',
          key: 'rsa-4096',
          renewal: { daysBeforeExpiry: 30 },
          ladder: { enrollmentNetworkAfterHours: 48, reenrollAfterExpiry: true },
        },
      })
      const before = published('office') ?? {}
      const kept = terminal
        .filter(([, answer]) => !answer.endsWith('nowhere'))
        .map(([question]) => [question, question === 'Alias' ? '-' : ''] as const)
      const edit = await fleet('network edit office', { terminal: kept })
      t.match(edit, {
        code: 0,
        out: /Alias \(optional\) \[Head office\].*Challenge password \(optional\) \[set\]/s,
      })
      const { alias: _, ...rest } = before
      t.same(published('office'), rest)
      t.match(await fleet('network add another'), { code: 2, err: /nobody is there to answer/ }, 'in a pipe')
    },
  )
})
