import t from 'tap'
import {
  forgetRefusal,
  judgeRefusal,
  NO_REFUSALS,
  recentRefusals,
  WINDOW_MS,
  type Refusals,
} from '../../../../supervisor/core/mass-refusal.ts'

/** After this a session that was kept is tried again: worker/core/connection-state.ts, SLOW_RETRY_MS. */
const RETRY_MS = 10 * 60_000

/** Refusals as they come: [account, when, whether its session may be set aside]. */
const STORIES: Record<string, [accountId: string, nowMs: number, allowed: boolean][]> = {
  'phones that are unlinked now and then': [
    ['a', 0, true],
    ['b', WINDOW_MS, true],
    ['c', 2 * WINDOW_MS, true],
    ['d', 2 * WINDOW_MS + 1, true],
  ],
  'the third within minutes is not believed, nor what follows': [
    ['a', 0, true],
    ['b', 1000, true],
    ['c', 2000, false],
    ['d', 3000, false],
  ],
  'a refusal of all that lasts for hours costs no more sessions': [
    ['a', 0, true],
    ['b', 1000, true],
    ['c', 2000, false],
    ['d', 3000, false],
    ['e', 4000, false],
    ...Array.from({ length: 12 }, (_, round) => round + 1).flatMap((round): [string, number, boolean][] =>
      // Each is tried again ten minutes later, and takes its turn at the gate.
      ['c', 'd', 'e'].map((accountId, turn) => [accountId, round * RETRY_MS + turn * 1000, false]),
    ),
  ],
  'one that is still refused when the others are not, is': [
    ['a', 0, true],
    ['b', 1000, true],
    ['c', 2000, false],
    ['c', 2000 + RETRY_MS, false],
    ['c', 2000 + 2 * RETRY_MS, true],
  ],
  'one account that asks again and again is one account': [
    ['a', 0, true],
    ['a', 1, true],
    ['a', 2, true],
    ['b', 3, true],
    ['c', 4, false],
  ],
}

for (const [name, story] of Object.entries(STORIES)) {
  t.test(name, async (t) => {
    let refusals: Refusals = NO_REFUSALS
    for (const [accountId, nowMs, expected] of story) {
      const judged = judgeRefusal(refusals, accountId, nowMs)
      refusals = judged.refusals
      t.equal(judged.allowed, expected, `${accountId} at ${nowMs}`)
    }
  })
}

t.test('an account that is connected again counts no more', async (t) => {
  let refusals: Refusals = NO_REFUSALS
  for (const accountId of ['a', 'b']) refusals = judgeRefusal(refusals, accountId, 0).refusals
  t.equal(recentRefusals(refusals, 1), 2)
  refusals = forgetRefusal(refusals, 'a')
  t.equal(recentRefusals(refusals, 1), 1)
  t.equal(judgeRefusal(refusals, 'c', 1).allowed, true)
  t.equal(forgetRefusal(refusals, 'nobody'), refusals)
  t.equal(recentRefusals(refusals, WINDOW_MS), 0)
})
