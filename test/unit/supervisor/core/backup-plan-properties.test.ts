import fc from 'fast-check'
import t from 'tap'
import { nextTickMs } from '../../../../supervisor/core/backup-plan.ts'
import { LIMITS, Run } from './fixtures/backup-run.ts'

const TROUBLE = { of: 'target', message: 'away' } as const

t.test(
  'two hundred busy accounts and a target that works: nobody waits longer than interval and debounce',
  async () => {
    const seed = fc.record({
      seed: fc.integer({ min: 1, max: 1e9 }),
      accounts: fc.integer({ min: 1, max: 200 }),
      writeMs: fc.integer({ min: 1, max: 400 }),
      outage: fc.option(
        fc.record({ fromMs: fc.integer({ max: 100_000, min: 0 }), ms: fc.integer({ min: 1, max: 900_000 }) }),
      ),
    })
    fc.assert(
      fc.property(seed, ({ seed, accounts, writeMs, outage }) => {
        const world = simulate(seed, accounts, writeMs, outage)
        if (world.mostAtOnce > LIMITS.atOnce) throw new Error(`${world.mostAtOnce} at once`)
        if (world.twice) throw new Error('two of one account at once')
        if (world.credsTooOften) throw new Error('creds more than once in ten seconds')
        // Two at a time, so all of them take accounts / 2 writes.
        const slackMs = (accounts / 2 + 1) * (writeMs + 10) + 1000
        if (world.longestMs > LIMITS.intervalMs + LIMITS.debounceMs + slackMs)
          throw new Error(`waited ${world.longestMs}`)
        if (world.entries > accounts) throw new Error('more entries than accounts')
        if (world.old > 0) throw new Error(`${world.old} accounts not at their newest state in the end`)
      }),
      { numRuns: 12 },
    )
  },
)

/** Accounts that change all the time, a target that takes `writeMs` and is away for a while. All in simulated time. */
function simulate(
  seed: number,
  count: number,
  writeMs: number,
  outage: { fromMs: number; ms: number } | null,
): Record<'mostAtOnce' | 'longestMs' | 'entries' | 'old', number> & { twice: boolean; credsTooOften: boolean } {
  let state = seed
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  const run = new Run()
  const upMs = outage === null ? 0 : outage.fromMs + outage.ms
  const isAway = (): boolean => outage !== null && run.nowMs >= outage.fromMs && run.nowMs < upMs
  // Longer than the longest backoff: from there on it is as if nothing had been.
  const judgeFromMs = outage === null ? 0 : upMs + 6 * 60_000
  const changesUntilMs = judgeFromMs + 180_000
  const revision = new Map<string, { now: number; fetched: number; saved: number; unsavedSinceMs: number | null }>()
  const jobs: { accountId: string; type: string; endMs: number; fails: boolean }[] = []
  const result = { mostAtOnce: 0, longestMs: 0, entries: 0, old: 0, twice: false, credsTooOften: false }
  const lastFetchMs = new Map<string, number>()
  const take = (): void => {
    for (const text of run.begun.splice(0)) {
      const [type = '', accountId = ''] = text.split(' ')
      if (type === 'host') {
        run.step(isAway() ? { type: 'host_failed', random: random() } : { type: 'host_written' })
        continue
      }
      if (jobs.some((job) => job.accountId === accountId)) result.twice = true
      const endMs = run.nowMs + (isAway() ? 1000 : writeMs)
      jobs.push({ accountId, type, endMs, fails: isAway() })
      result.mostAtOnce = Math.max(result.mostAtOnce, jobs.length)
      const known = revision.get(accountId)
      if (type === 'save' && known !== undefined) {
        known.fetched = known.now
        if (run.nowMs - (lastFetchMs.get(accountId) ?? -1e9) < LIMITS.credsIntervalMs) result.credsTooOften = true
        if (!isAway()) lastFetchMs.set(accountId, run.nowMs)
        run.step({ type: 'fetched', accountId })
      }
    }
    if (run.begun.length > 0) take()
  }
  const ids = Array.from({ length: count }, (_, index) => `a${index}`)
  for (const id of ids) revision.set(id, { now: 0, fetched: 0, saved: 0, unsavedSinceMs: null })
  const endMs = changesUntilMs + 200_000
  let nextChangeMs = 0
  while (run.nowMs < endMs) {
    const tickMs = nextTickMs(run.plan, LIMITS) ?? Infinity
    const jobMs = Math.min(...jobs.map((job) => job.endMs))
    const changeMs = run.nowMs <= changesUntilMs ? nextChangeMs : Infinity
    run.nowMs = Math.max(run.nowMs, Math.min(tickMs, jobMs, changeMs))
    if (!Number.isFinite(run.nowMs)) break
    if (changeMs <= run.nowMs) {
      nextChangeMs = run.nowMs + 2000
      for (const id of ids) {
        if (random() < 0.3) continue
        const known = revision.get(id)
        if (known === undefined) continue
        known.now++
        known.unsavedSinceMs ??= run.nowMs
        run.change(id, random() < 0.01)
      }
    }
    for (const job of jobs.splice(0)) {
      if (job.endMs > run.nowMs) {
        jobs.push(job)
        continue
      }
      const { accountId, type } = job
      const known = revision.get(accountId)
      if (job.fails) run.step({ type: 'failed', accountId, failure: TROUBLE, random: random(), inHand: false })
      else if (type === 'claim') run.step({ type: 'claimed', accountId })
      else if (known !== undefined) {
        const sinceMs = known.unsavedSinceMs ?? run.nowMs
        if (sinceMs >= judgeFromMs) result.longestMs = Math.max(result.longestMs, run.nowMs - sinceMs)
        known.saved = known.fetched
        // Changes since the fetch came within a write's time.
        known.unsavedSinceMs = known.now > known.fetched ? run.nowMs : null
        run.step({ type: 'saved', accountId, inHand: false })
      }
    }
    run.step({ type: 'tick' })
    take()
    result.entries = Math.max(result.entries, run.plan.accounts.size)
  }
  result.old = [...revision.values()].filter(({ now, saved }) => now !== saved).length
  return result
}
