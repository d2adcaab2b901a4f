import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { CLOCK_FILE, pruneSessions } from '../../../../supervisor/accounts/prune-sessions.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

const DAY_MS = 86_400_000
const OLD = 'account_a-2020-01-01T00-00-00Z-logged_out'

interface House {
  aside: string
  prune: (keepDays?: number) => Promise<void>
  clock: ManualClock
  lines: ReturnType<typeof captureLog>['lines']
  left: () => string[]
}

/** A clock a year ahead of the files that the test has just made, and believed. */
function house(t: Test, tree: NonNullable<Parameters<Test['testdir']>[0]>): House {
  const sessionsPath = t.testdir({
    '.set-aside': tree,
    account_a: { 'session.log': 'living' },
    elsewhere: { 'session.log': 'x' },
  })
  const aside = join(sessionsPath, '.set-aside')
  const clock = new ManualClock()
  clock.advance(Date.now() + 365.5 * DAY_MS - clock.nowMs())
  const trust = { seenMs: clock.nowMs() - DAY_MS, trustedFromMs: 0 }
  mkdirSync(aside, { recursive: true })
  writeFileSync(join(aside, CLOCK_FILE), JSON.stringify(trust))
  const { log, lines } = captureLog()
  return {
    aside,
    prune: (keepDays = 90) => pruneSessions({ sessionsPath, keepDays, clock, log }),
    clock,
    lines,
    left: () =>
      readdirSync(aside)
        .filter((name) => name !== CLOCK_FILE)
        .sort(),
  }
}

t.test('what is too old goes, with a line for each; what is not ours stays', async (t) => {
  const { aside, prune, left, lines } = house(t, {
    [OLD]: { 'session.log': 'x', imported: { 'creds.json': 'x' } },
    'account_b-2020-01-01T00-00-00Z-removed-2': {},
    'account_c-2090-01-01T00-00-00Z-removed': { 'session.log': 'x' },
    'somebody else': { 'session.log': 'x' },
    [`.pruning-${OLD}`]: { 'session.log': 'half' },
  })
  writeFileSync(join(aside, 'account_d-2020-01-01T00-00-00Z-removed'), 'a file')
  await prune()
  t.same(left(), ['account_c-2090-01-01T00-00-00Z-removed', 'account_d-2020-01-01T00-00-00Z-removed', 'somebody else'])
  const pruned = lines().filter(({ event }) => event === 'session.pruned')
  t.match(pruned, [
    { accountId: 'account_a', reason: 'logged_out', ageDays: 365 },
    { accountId: 'account_b', reason: 'removed' },
  ])
  t.equal(pruned.length, 2)
})

t.test('0 days is for ever, but for what was half deleted already', async (t) => {
  const { prune, left } = house(t, { [OLD]: { 'session.log': 'x' }, [`.pruning-${OLD}`]: { 'session.log': 'half' } })
  await prune(0)
  t.same(left(), [OLD])
})

t.test('a link is never followed and never deleted', async (t) => {
  const { aside, prune, left } = house(t, {})
  const elsewhere = join(aside, '..', 'elsewhere')
  symlinkSync(elsewhere, join(aside, OLD))
  mkdirSync(join(aside, 'account_b-2020-01-01T00-00-00Z-removed'))
  symlinkSync(elsewhere, join(aside, 'account_b-2020-01-01T00-00-00Z-removed', 'link'))
  await prune()
  t.same(left(), [OLD])
  t.ok(existsSync(join(elsewhere, 'session.log')))
})

t.test('what somebody holds is left alone', async (t) => {
  const { aside, prune, left, lines } = house(t, { [OLD]: { 'session.log': 'x' } })
  const lock = await lockSession({ dir: join(aside, OLD), waitMs: 0 })
  t.teardown(() => lock.release())
  await prune()
  t.same(left(), [OLD])
  t.same(lines(), [])
})

t.test('a clock that jumped deletes nothing before it has stood for a day', async (t) => {
  const { prune, clock, left, lines } = house(t, { [OLD]: { 'session.log': 'x' } })
  clock.advance(1000 * DAY_MS)
  await prune()
  await prune()
  t.same(left(), [OLD])
  t.match(lines()[0], { event: 'session.prune_put_off', sessions: 1 })
  clock.advance(DAY_MS)
  await prune()
  t.same(left(), [])
})

t.test('no directory, nothing to do', async (t) => {
  const { log, lines } = captureLog()
  await pruneSessions({ sessionsPath: t.testdir({}), keepDays: 90, clock: new ManualClock(), log })
  t.same(lines(), [])
})
