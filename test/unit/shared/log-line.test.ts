import t from 'tap'
import { describeLine, parseLine, priorityOf } from '../../../shared/log-line.ts'
import { systemClock } from '../../../shared/clock.ts'
import { prefixedLine, prettyLine } from '../../../shared/log-destination.ts'
import { openTarget } from '../../../shared/log-target.ts'

const json = (fields: Record<string, unknown>): string =>
  `${JSON.stringify({ level: 'warn', time: '2026-01-02T03:04:05.678Z', event: 'x.done', msg: 'Done', ...fields })}\n`
const describe = (fields: Record<string, unknown>): string => describeLine(parseLine(json(fields)), true)

const DESCRIBED: [Record<string, unknown>, string][] = [
  [{}, 'x.done: Done'],
  [{ msg: '' }, 'x.done'],
  [{ event: undefined }, 'Done'],
  [{ accountId: 'account_a', attempt: 2, last: false }, 'x.done: Done accountId=account_a attempt=2 last=false'],
  [{ reason: null }, 'x.done: Done'],
  [{ nextTryAtMs: 1_700_000_000_000 }, 'x.done: Done nextTryAt=2023-11-14T22:13:20.000Z'],
  [{ cause: 'no route', path: '/a=b', plain: 'a-b' }, 'x.done: Done cause="no route" path="/a=b" plain=a-b'],
  [{ list: [1, 2], inner: { a: 'b' } }, 'x.done: Done list=[1,2] inner={"a":"b"}'],
  [{ text: 'x'.repeat(600) }, `x.done: Done text=${'x'.repeat(500)}…`],
  [{ stack: 'Error: x\n    at y' }, 'x.done: Done\nError: x\n    at y'],
  [{ brokenAtMs: 1e300 }, 'x.done: Done brokenAtMs=1e+300'],
]
for (const [fields, text] of DESCRIBED) {
  t.test(JSON.stringify(fields).slice(0, 60), async (t) => t.equal(describe(fields), text))
}

t.test('levels are the priorities of syslog', async (t) => {
  const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'other']
  t.strictSame(levels.map(priorityOf), [2, 3, 4, 6, 7, 6])
})

t.test('on a terminal: hour, level, account, words; colours only where they are wanted', async (t) => {
  const line = prettyLine(json({ accountId: 'account_a', code: 1 }), false)
  t.match(line, /^\d\d:04:05\.678 warn  account_a x\.done: Done code=1\n$/)
  t.match(prettyLine(json({}), true), '\x1b[33mwarn \x1b[0m')
})

t.test('where only text goes to the journal, every line of it has its priority', async (t) => {
  t.equal(prefixedLine(json({ stack: 'a\nb' })), '<4>x.done: Done\n<4>a\n<4>b\n')
})

t.test('where there is no journal its lines go to the output, and that is said', async (t) => {
  const written: string[] = []
  const output = { write: (text: string) => written.push(text) }
  const target = await openTarget({ kind: 'journal', directory: '/nowhere' }, 'account_a', output, systemClock)
  target.write(json({}))
  t.match(written[0], /^<4>log: .* there is no journald at \/nowhere\/socket\n$/)
  t.equal(written[1], '<4>x.done: Done\n')
})
