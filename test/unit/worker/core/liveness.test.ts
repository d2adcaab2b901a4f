import t from 'tap'
import { judgeLiveness, PROBE_DEADLINE_MS } from '../../../../worker/core/liveness.ts'

const STALE_MS = 300_000
const TABLE: [title: string, lastFrameMs: number, probeSentMs: number | null, nowMs: number, expected: string][] = [
  ['a frame just now', 1000, null, 1000, 'alive'],
  ['silent, a moment before the threshold', 0, null, STALE_MS - 1, 'alive'],
  ['silent up to the threshold', 0, null, STALE_MS, 'probe'],
  ['asked just now', 0, STALE_MS, STALE_MS, 'wait'],
  ['no answer yet', 0, STALE_MS, STALE_MS + PROBE_DEADLINE_MS - 1, 'wait'],
  ['no answer in time', 0, STALE_MS, STALE_MS + PROBE_DEADLINE_MS, 'dead'],
  ['the answer came', STALE_MS + 5, STALE_MS, STALE_MS + 10, 'alive'],
  ['the answer came in the very millisecond', STALE_MS, STALE_MS, STALE_MS + 10, 'alive'],
  ['the answer came, but was looked at late', STALE_MS + 5, STALE_MS, STALE_MS + 10 * PROBE_DEADLINE_MS, 'alive'],
]

for (const [title, lastFrameMs, probeSentMs, nowMs, expected] of TABLE) {
  t.test(title, async (t) => {
    t.equal(judgeLiveness({ nowMs, lastFrameMs, probeSentMs, staleAfterMs: STALE_MS }), expected)
  })
}
