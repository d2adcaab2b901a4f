import t from 'tap'
import { AppError } from '../../../../shared/errors.ts'
import { BulkActions } from '../../../../supervisor/fleet/bulk-actions.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock, settle } from '../../../fixtures/manual-clock.ts'

function fixture(pause: (accountId: string) => Promise<void> = async () => undefined) {
  const clock = new ManualClock()
  const asked: [string, string, number][] = []
  const note = (name: string, accountId: string): void => void asked.push([name, accountId, clock.monotonicMs()])
  const { log, lines } = captureLog()
  const actions = new BulkActions({
    clock,
    log,
    random: () => 0.5,
    stagger: { minMs: 2000, maxMs: 4000 },
    fleet: {
      restart: (accountId) => note('restart', accountId),
      pair: (accountId) => {
        if (accountId === 'none') throw new AppError('account_not_found', 'There is no account "none".')
        note('pair', accountId)
      },
      pause: async (accountId) => {
        note('pause', accountId)
        await pause(accountId)
      },
      resume: async (accountId) => note('resume', accountId),
      logOut: async (accountId) => note('logout', accountId),
      remove: async (accountId, purge) => note(`remove ${purge}`, accountId),
      assertRunning: () => undefined,
    },
  })
  return { clock, asked, actions, lines }
}

t.test('restarts are staggered as a boot is; an account named twice is restarted once', async (t) => {
  const { clock, asked, actions } = fixture()
  const { id, total } = actions.begin('restart', ['a', 'b', 'a', 'c'])
  t.equal(total, 3)
  t.equal(actions.running.length, 1)
  await clock.advanceAsync(6000)
  t.strictSame(asked, [
    ['restart', 'a', 0],
    ['restart', 'b', 3000],
    ['restart', 'c', 6000],
  ])
  await settle()
  t.match(actions.get(id), { finishedAtMs: clock.nowMs(), results: [{ outcome: 'done' }, {}, {}] })
  t.strictSame(actions.running, [])
})

t.test('what can not be done with one is said of that one; a bug is not told', async (t) => {
  const { clock, actions, lines } = fixture(async (accountId) => {
    if (accountId === 'b') throw new TypeError('secret inside')
  })
  const paired = actions.begin('pair', ['none', 'a'])
  const paused = actions.begin('pause', ['b'])
  await clock.advanceAsync(1000)
  t.strictSame(actions.get(paired.id)?.results, [
    {
      accountId: 'none',
      outcome: 'error',
      error: { code: 'account_not_found', message: 'There is no account "none".' },
    },
    { accountId: 'a', outcome: 'done' },
  ])
  t.match(actions.get(paused.id)?.results, [{ outcome: 'error', error: { code: 'internal', message: /its log/ } }])
  t.notMatch(JSON.stringify(actions.get(paused.id)), 'secret inside')
  t.ok(lines().some(({ event }) => event === 'action.failed'))
})

t.test('five at once: one that takes its time holds up four others, not all', async (t) => {
  const waiting = new Map<string, () => void>()
  const { clock, asked, actions } = fixture((accountId) => new Promise((resolve) => waiting.set(accountId, resolve)))
  actions.begin('pause', ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  await clock.advanceAsync(50_000)
  t.equal(asked.length, 5)
  waiting.get('c')?.()
  await settle()
  t.strictSame(
    asked.map(([, accountId]) => accountId),
    ['a', 'b', 'c', 'd', 'e', 'f'],
  )
})

t.test('one that hangs is said to be under way, and keeps no action for ever', async (t) => {
  const ends: ((error: Error) => void)[] = []
  const { clock, asked, actions, lines } = fixture((accountId) =>
    accountId === 'hangs' ? new Promise((_, reject) => ends.push(reject)) : Promise.resolve(),
  )
  const ids = Array.from({ length: 10 }, () => actions.begin('pause', ['hangs', 'a']).id)
  await clock.advanceAsync(59_000)
  t.throws(() => actions.begin('pause', ['a']), { code: 'too_many_actions' })
  await clock.advanceAsync(1000)
  t.strictSame(actions.running, [])
  const over = actions.get(ids[0] ?? '')
  t.match(over?.results, [
    { accountId: 'a', outcome: 'done' },
    { accountId: 'hangs', outcome: 'error', error: { code: 'storage_unavailable', message: /still under way/ } },
  ])
  t.equal(lines().filter(({ event }) => event === 'action.late').length, 10)
  t.ok(actions.begin('pause', ['a']))
  for (const end of ends) end(new Error('EIO'))
  await clock.advanceAsync(1000)
  t.equal(actions.get(ids[0] ?? ''), over, 'its late end changes nothing')
  t.equal(lines().filter(({ event }) => event === 'action.failed').length, 10, 'but is in the log')
  t.equal(asked.length, 21)
  t.equal(clock.pending, 0)
})

t.test(
  'so many are under way and no more; those that are over are kept for a while; a stop begins nothing',
  async (t) => {
    const { clock, asked, actions } = fixture(() => new Promise(() => undefined))
    const first = actions.begin('resume', ['x'])
    await clock.advanceAsync(100)
    for (let i = 0; i < 10; i++) actions.begin('pause', ['a'])
    t.throws(() => actions.begin('resume', ['a']), { code: 'too_many_actions' })
    t.ok(actions.get(first.id))
    const { actions: other, clock: otherClock } = fixture()
    const ids: string[] = []
    for (let i = 0; i < 60; i++) {
      ids.push(other.begin('remove', ['a']).id)
      await otherClock.advanceAsync(1)
    }
    t.equal(other.get(ids[0] ?? ''), undefined)
    t.ok(other.get(ids[10] ?? ''))
    const stopped = fixture()
    stopped.actions.begin('restart', ['a', 'b'])
    stopped.actions.stop()
    await stopped.clock.advanceAsync(60_000)
    t.equal(stopped.asked.length, 1)
    t.ok(asked.length > 0)
  },
)
