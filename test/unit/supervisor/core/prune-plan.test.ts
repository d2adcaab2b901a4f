import t from 'tap'
import { planPrune, trustClock } from '../../../../supervisor/core/prune-plan.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2026, 5, 1)
const OLD = 'a-2026-01-01T00-00-00Z-logged_out'

t.test('what is deleted', async (t) => {
  const long = NOW_MS - 91 * DAY_MS
  const cases: [string, number, number, 'leftover' | 'too old' | 'kept'][] = [
    [OLD, long, 90, 'too old'],
    [OLD, long, 0, 'kept'],
    [OLD, NOW_MS - 90 * DAY_MS, 90, 'too old'],
    [OLD, NOW_MS - 90 * DAY_MS + 1, 90, 'kept'],
    // The name is old, the directory is not: a clock that was behind, a session brought here from elsewhere.
    ['a-1970-01-01T00-00-00Z-logged_out', NOW_MS - DAY_MS, 90, 'kept'],
    // The directory is old, the name is not: a clock that is behind now.
    ['a-2026-05-31T00-00-00Z-logged_out', long, 90, 'kept'],
    ['a-2090-01-01T00-00-00Z-logged_out', long, 90, 'kept'],
    ['notes', 0, 90, 'kept'],
    ['.hidden', 0, 90, 'kept'],
    [`${OLD}.bak`, 0, 90, 'kept'],
    [`.pruning-${OLD}`, NOW_MS, 0, 'leftover'],
    ['a-2026-05-31T00-00-00Z-purging', NOW_MS, 0, 'leftover'],
    [`.copying-${OLD}`, NOW_MS - 1000, 90, 'kept'],
    [`.copying-${OLD}`, NOW_MS - 2 * 3_600_000, 0, 'leftover'],
  ]
  for (const [name, changedAtMs, days, expected] of cases) {
    const { leftovers, tooOld } = planPrune([{ name, changedAtMs }], days, NOW_MS)
    const found = leftovers.length > 0 ? 'leftover' : tooOld.length > 0 ? 'too old' : 'kept'
    t.equal(found, expected, `${name}, changed ${new Date(changedAtMs).toISOString()}, kept ${days} days`)
  }
  t.strictSame(planPrune([{ name: OLD, changedAtMs: long }], 90, NOW_MS).tooOld, [
    { id: OLD, accountId: 'a', reason: 'logged_out', ageDays: 91 },
  ])
})

t.test('a clock is believed when it has stood for a day', async (t) => {
  const isTrusted = (trust: { seenMs: number; trustedFromMs: number }): boolean => trust.trustedFromMs <= trust.seenMs
  let trust = trustClock(undefined, NOW_MS)
  t.notOk(isTrusted(trust), 'never seen before')
  trust = trustClock(trust, NOW_MS + DAY_MS)
  t.ok(isTrusted(trust), 'a day later')
  trust = trustClock(trust, NOW_MS + 4 * DAY_MS)
  t.ok(isTrusted(trust), 'a weekend off')

  const jumpedMs = NOW_MS + 10_000 * DAY_MS
  trust = trustClock(trust, jumpedMs)
  t.notOk(isTrusted(trust), 'a jump ahead')
  for (let restart = 1; restart <= 20; restart++) {
    trust = trustClock(trust, jumpedMs + restart * 60_000)
    t.notOk(isTrusted(trust), 'restarting again and again makes it no truer')
  }
  trust = trustClock(trust, NOW_MS + 4 * DAY_MS + 3_600_000)
  t.notOk(isTrusted(trust), 'set right again')
  trust = trustClock(trust, NOW_MS + 5 * DAY_MS + 3_600_000)
  t.ok(isTrusted(trust))
  trust = trustClock(trust, NOW_MS + 6 * DAY_MS)
  trust = trustClock(trust, NOW_MS + 6 * DAY_MS - 3_600_000)
  t.ok(isTrusted(trust), 'an hour back is no jump')
})
