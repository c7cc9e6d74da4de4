/** How a line of the demonstration looks, and what of it is redrawn. */
import t from 'tap'
import { Screen } from '../../demo/screen.ts'
import { begin, end, newStory, type Line } from '../../demo/story.ts'
import { chart, duration, fit, render, sentence, type Look } from '../../demo/timeline.ts'

const look: Look = { width: 85, colour: false, now: 2_500, zero: 1_000 }
const line: Line = {
  ...{ id: 'x', title: 'GetCACert', state: 'done', from: 1_250, ms: 12 },
  ...{ detail: 'http://ca.example.org/scep', facts: [] },
}

t.test('a line has mark, offset, title, detail and duration, the last at the same column always', async t => {
  const [done] = render(line, look)
  t.match(done, /^ ✓ \+0\.250 {2}GetCACert +http:\/\/ca\.example\.org\/scep {4,}12 ms$/)
  for (const ms of [0, 12, 999, 1_500, 59_000])
    for (const width of [60, 80, 100, 120, 200]) {
      const [text = ''] = render({ ...line, ms }, { ...look, width })
      t.equal(text.length, Math.min(width, 120), `${ms} ms in ${width} columns`)
    }
  t.match(render({ ...line, state: 'running' }, look)[0], /^ [⠋-⠿] .* 1\.25 s$/, 'a running line counts')
  t.match(render({ ...line, state: 'failed' }, look)[0], /^ ✗ /)
  t.match(render(line, { ...look, zero: undefined })[0], /^ ✓ {9}GetCACert/, 'nothing published yet')
})

t.test('facts stand below, and colours add no column', async t => {
  const rows = render({ ...line, facts: [['issuer', 'CN=CA']] }, look)
  t.equal(rows[1], '          issuer    CN=CA')
  const painted = render(line, { ...look, colour: true })[0] ?? ''
  t.equal(painted.replaceAll(/\x1b\[\d+m/g, ''), render(line, look)[0])
})

t.test('durations and texts are fitted', async t => {
  t.same([0.4, 999.4, 1_234, 12_345].map(duration), ['0 ms', '999 ms', '1.23 s', '12.3 s'])
  t.same([fit('abc', 5), fit('abcdef', 4), fit('ab', 0)], ['abc  ', 'abc…', ''])
})

t.test('the chart draws what ran at the same time one below the other', async t => {
  const at = (from: number, ms: number): Line => ({ ...line, from, ms })
  const rows = chart([at(1_000, 500), at(1_250, 250), at(500, 100)], { ...look, width: 70 })
  const bars = rows.map(row => row.slice(40, -9))
  t.same(bars, ['█'.repeat(20), ' '.repeat(10) + '█'.repeat(10)], 'what was before the start is left out')
})

t.test('a sentence goes on below its beginning where the terminal ends, and never in a pipe', async t => {
  const text = 'trusted because it answered first'
  t.equal(sentence(' ! ', text, { wrap: 24 }), ' ! trusted because it\n   answered first')
  t.equal(
    sentence('\x1b[33m!\x1b[0m ', text, { wrap: 18 }),
    '\x1b[33m!\x1b[0m trusted because\n  it answered\n  first',
  )
  t.equal(sentence(' ! ', text, {}), ` ! ${text}`)
})

for (const [where, isTTY, kind] of [
  ['without a terminal', false, 'xterm'],
  ['on a terminal that moves no cursor', true, 'dumb'],
] as const)
  t.test(`${where} each line is written once, when it has ended`, async t => {
    let written = ''
    const out = { write: (text: string) => (written += text), isTTY }
    using screen = new Screen(out, kind)
    const running = begin(newStory('corp'), 'a', 'first', 0)
    screen.show(running)
    t.equal(written, '')
    const ended = end(running, 'a', 5)
    screen.show(ended)
    screen.show(ended)
    t.match(written, /^ ✓ {9}first .* 5 ms\n$/)
  })

t.test('a terminal that does not know its width is as wide as a pipe', async t => {
  using screen = new Screen({ write: () => undefined, isTTY: true, columns: 0 }, 'xterm')
  t.equal(screen.look.width, 100)
})

t.test('on a terminal running lines are taken back before anything is written', async t => {
  let written = ''
  const out = { write: (text: string) => (written += text), isTTY: true, columns: 80 }
  {
    using screen = new Screen(out, 'xterm')
    screen.show(begin(newStory('corp'), 'a', 'first', Date.now()))
    t.match(written, /first/)
    written = ''
    screen.print('a word')
    t.ok(written.startsWith('\x1b[1A\r\x1b[0Ja word\n'), 'one line up, and cleared to the end')
    written = ''
  }
  t.ok(written.startsWith('\x1b[1A') && written.endsWith('\x1b[?25h'), 'the cursor is back in the end')
})
