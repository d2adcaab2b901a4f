import t from 'tap'
import { DEAF_AFTER_MS, judgeLiveness, PROBE_DEADLINE_MS } from '../../../../worker/core/liveness.ts'

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
    const input = { nowMs, lastFrameMs, probeSentMs, staleAfterMs: STALE_MS, unheardSinceMs: null }
    t.equal(judgeLiveness(input), expected)
  })
}

const HEARING: [title: string, unheardSinceMs: number | null, nowMs: number, expected: string][] = [
  ['nothing is waited for', null, 10 * DEAF_AFTER_MS, 'alive'],
  ['a message came just now', 1000, 1000, 'alive'],
  ['a moment before its time', 1000, 1000 + DEAF_AFTER_MS - 1, 'alive'],
  ['frames come, and nothing came of them', 1000, 1000 + DEAF_AFTER_MS, 'deaf'],
]

for (const [title, unheardSinceMs, nowMs, expected] of HEARING) {
  t.test(title, async (t) => {
    const input = { nowMs, lastFrameMs: nowMs, staleAfterMs: STALE_MS, unheardSinceMs }
    t.equal(judgeLiveness({ ...input, probeSentMs: null }), expected)
    t.equal(judgeLiveness({ ...input, probeSentMs: nowMs }), expected, 'a probe that was answered changes nothing')
  })
}
