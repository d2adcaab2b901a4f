import fc from 'fast-check'
import t from 'tap'
import { segmentsOf, seriesOf, SLOTS, thinned, type Transition } from '../../../../supervisor/core/history-slots.ts'

const MINUTE_MS = 60_000
const DAY_MS = 1440 * MINUTE_MS
const at = (minutes: number, status: Transition['status'], reason: Transition['reason'] = null): Transition => {
  return { atMs: minutes * MINUTE_MS, status, reason, code: null, detail: null }
}
const seen = (transitions: Transition[]) =>
  segmentsOf(transitions, 0, DAY_MS).map(({ fromMs, status }) => [fromMs / MINUTE_MS, status])

const CASES: [title: string, transitions: Transition[], expected: [number, string][]][] = [
  ['nothing is known', [], []],
  ['what was so before goes on', [at(-500, 'connected')], [[0, 'connected']]],
  ['the last of what was before counts', [at(-9, 'connected'), at(-5, 'needs_qr')], [[0, 'needs_qr']]],
  [
    'an account that came in the middle of the day has no strip before',
    [at(602, 'connecting'), at(603, 'connected')],
    [
      [602, 'connecting'],
      [605, 'connected'],
    ],
  ],
  [
    'an outage of a second fills its slot, and no more',
    [at(-1, 'connected'), at(61, 'disconnected', 'connection_lost'), at(61.02, 'connected')],
    [
      [0, 'connected'],
      [60, 'disconnected'],
      [65, 'connected'],
    ],
  ],
  [
    'the worst of a slot is shown',
    [at(-1, 'connected'), at(61, 'connecting'), at(62, 'not_running'), at(63, 'connected')],
    [
      [0, 'connected'],
      [60, 'not_running'],
      [65, 'connected'],
    ],
  ],
  [
    'another reason is another segment',
    [at(-1, 'disconnected', 'connection_lost'), at(300, 'disconnected', 'storage_full')],
    [
      [0, 'disconnected'],
      [300, 'disconnected'],
    ],
  ],
]
t.test('strips', async (t) => {
  for (const [title, transitions, expected] of CASES) t.strictSame(seen(transitions), expected, title)
})

t.test('a strip is never longer than its slots, in order, without repeats, whatever happened', async (t) => {
  const statuses = ['connected', 'connecting', 'disconnected', 'needs_qr', 'not_running'] as const
  const transition = fc.record({
    minutes: fc.double({ min: -2000, max: 1440, noNaN: true }),
    status: fc.constantFrom(...statuses),
  })
  fc.assert(
    fc.property(fc.array(transition, { maxLength: 2000 }), (raw) => {
      const sorted = raw.map(({ minutes, status }) => at(minutes, status)).sort((a, b) => a.atMs - b.atMs)
      const segments = segmentsOf(sorted, 0, DAY_MS)
      if (segments.length > SLOTS) throw new Error('too long')
      for (const [index, segment] of segments.entries()) {
        const next = segments[index + 1]
        if (next !== undefined && next.fromMs <= segment.fromMs) throw new Error('order')
        if (next !== undefined && next.status === segment.status) throw new Error('repeat')
      }
      // An outage of any length shows.
      const wasDown = sorted.some(({ atMs, status }) => atMs > 0 && atMs < DAY_MS && status === 'not_running')
      if (wasDown && !segments.some(({ status }) => status === 'not_running')) throw new Error('an outage is not shown')
    }),
    { numRuns: 200 },
  )
  t.pass()
})

t.test('what is thinned draws the same picture, and is bounded', async (t) => {
  const transition = fc.record({
    minutes: fc.double({ min: 0, max: 1440, noNaN: true }),
    status: fc.constantFrom('connected', 'connecting', 'disconnected', 'needs_qr', 'not_running'),
  })
  fc.assert(
    fc.property(fc.array(transition, { maxLength: 3000, size: 'max' }), (raw) => {
      const all = raw.map(({ minutes, status }) => at(minutes, status)).sort((a, b) => a.atMs - b.atMs)
      const few = thinned(all)
      t.strictSame(segmentsOf(few, 0, DAY_MS), segmentsOf(all, 0, DAY_MS))
      if (few.length > 2 * SLOTS + 3) throw new Error(`${few.length} are left`)
      t.strictSame(thinned(few), few, 'nothing more is to be left out')
    }),
    { numRuns: 50 },
  )
})

t.test('the fleet: the fewest of a slot, the sum of messages, null where nobody counted', async (t) => {
  const minute = (minutes: number, connected: number) => ({ atMs: minutes * MINUTE_MS, connected, in: 2, out: 1 })
  const series = seriesOf([minute(-3, 9), minute(1, 5), minute(5, 3), minute(6, 8), minute(1440, 7)], 0, DAY_MS)
  t.equal(series.length, SLOTS)
  t.strictSame(series[0], { atMs: 0, count: 3, in: 4, out: 2 })
  t.strictSame(series[1], { atMs: 5 * MINUTE_MS, count: 8, in: 2, out: 1 })
  t.strictSame(series[2], { atMs: 10 * MINUTE_MS, count: null, in: 0, out: 0 })
  t.equal(series.at(-1)?.count, 7)
})
