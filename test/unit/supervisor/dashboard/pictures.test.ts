import t from 'tap'
import type { Segment } from '../../../../supervisor/dashboard/api-types.ts'
import { bars, stepArea } from '../../../../supervisor/dashboard/core/chart.ts'
import { extend, stripPieces, stripWords } from '../../../../supervisor/dashboard/core/strip.ts'

const HOUR_MS = 3_600_000
const TO_MS = Date.parse('2026-01-02T00:00:00.000Z')
const FROM_MS = TO_MS - 24 * HOUR_MS
const segment = (hour: number, status: Segment['status'], reason: Segment['reason'] = null): Segment => ({
  from: new Date(FROM_MS + hour * HOUR_MS).toISOString(),
  status,
  reason,
})

t.test('a day as a strip', async (t) => {
  const day = [segment(-5, 'connected'), segment(12, 'disconnected', 'paused'), segment(18, 'connected')]
  t.strictSame(stripPieces(day, FROM_MS, TO_MS, 24), [
    { x: 0, width: 12, status: 'connected' },
    { x: 12, width: 6, status: 'paused' },
    { x: 18, width: 6, status: 'connected' },
  ])
  t.strictSame(stripPieces([], FROM_MS, TO_MS, 24), [])
})

t.test('a short failure can be seen, a short connecting is no piece of its own', async (t) => {
  const day = [
    segment(0, 'connected'),
    segment(6, 'disconnected'),
    segment(6.01, 'connecting'),
    segment(6.02, 'connected'),
  ]
  const pieces = stripPieces(day, FROM_MS, TO_MS, 24)
  t.strictSame(
    pieces.map(({ status }) => status),
    ['connected', 'disconnected', 'connected'],
  )
  t.equal(pieces[1]?.width, 1)
})

t.test('a strip in words', async (t) => {
  const day = [segment(0, 'connected'), segment(6, 'disconnected'), segment(7, 'connecting'), segment(8, 'connected')]
  t.equal(stripWords(day, FROM_MS, TO_MS), 'Connected 91.6 % of the last 24 h: 1 interruption, 2 h in all.')
  t.equal(stripWords([segment(0, 'connected')], FROM_MS, TO_MS), 'Connected 100 % of the last 24 h: no interruption.')
  t.match(stripWords([segment(0, 'needs_qr')], FROM_MS, TO_MS), /^Needs QR, not connected/)
  t.match(stripWords([], FROM_MS, TO_MS), /Nothing is known/)
})

t.test('a strip goes on with what the feed says, and lets go of what is older than a day', async (t) => {
  const day = [segment(-9, 'connected'), segment(-3, 'disconnected'), segment(5, 'connected')]
  const next = segment(20, 'connecting', 'opening')
  const extended = extend(day, next, FROM_MS)
  t.strictSame(extended, [day[1], day[2], next])
  t.strictSame(extend(extended, next, FROM_MS), extended, 'twice is once')
  const again = segment(20, 'connected')
  t.strictSame(extend(extended, again, FROM_MS), [day[1], day[2], again], 'a newer word for the same moment')
})

t.test('counts are steps, and a time of which nothing is known is a gap', async (t) => {
  const points = [
    { atMs: 0, value: 10 },
    { atMs: 50, value: 5 },
    { atMs: 60, value: null },
    { atMs: 80, value: 10 },
  ]
  const { line, area } = stepArea(points, 0, 100, 10, { width: 100, height: 20 })
  t.equal(line, 'M0 0H50V10H60M80 0H100')
  t.equal(area, 'M0 20V0H50V20ZM50 20V10H60V20ZM80 20V0H100V20Z')
  t.strictSame(stepArea([], 0, 100, 10, { width: 100, height: 20 }), { line: '', area: '' })
})

t.test('whatever is not zero has a bar that can be seen', async (t) => {
  const all = bars([0, 1, 1000], 1000, { width: 30, height: 20 })
  t.strictSame(
    all.map(({ height }) => height),
    [0, 1, 20],
  )
  t.strictSame(bars([], 1, { width: 30, height: 20 }), [])
})
