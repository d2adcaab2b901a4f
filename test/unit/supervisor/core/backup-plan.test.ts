import t from 'tap'
import { stepBackups, unsavedAccounts } from '../../../../supervisor/core/backup-plan.ts'
import { isClosed } from '../../../../supervisor/core/backup-turns.ts'
import { newBackupPlan } from '../../../../supervisor/core/backup-state.ts'
import { LIMITS, Run } from './fixtures/backup-run.ts'

t.test('nothing goes before the host says that it is there', async (t) => {
  const [plan, effects] = stepBackups(newBackupPlan(0), { type: 'tick' }, 0, LIMITS)
  t.strictSame(effects, [{ type: 'write_host' }])
  const event = { type: 'session_changed', accountId: 'a', creds: false, paired: true } as const
  const [changed, none] = stepBackups(plan, event, 0, LIMITS)
  t.strictSame(none, [])
  const [, begun] = stepBackups(changed, { type: 'host_written' }, 0, LIMITS)
  t.strictSame(begun, [{ type: 'claim', accountId: 'a' }])
})

t.test('a session just paired goes at once, its claim before it', async (t) => {
  const run = new Run()
  run.change('a', true, true)
  t.strictSame(run.begun, ['claim a'])
  run.step({ type: 'claimed', accountId: 'a' })
  t.strictSame(run.begun, ['claim a', 'save a'])
  run.saved('a')
  t.strictSame(unsavedAccounts(run.plan), [])
  t.strictSame(run.pass(3_600_000), [], 'a quiet account costs nothing')
})

t.test('when a changed session is due', async (t) => {
  const cases: [string, (run: Run) => void, number][] = [
    ['long after the last backup: after the debounce', (run) => void (run.pass(100_000), run.change('a')), 5000],
    ['soon after it: when the interval is over', (run) => void (run.pass(20_000), run.change('a')), 40_000],
    ['creds: half a second later', (run) => void (run.pass(20_000), run.change('a', true)), 500],
    ['creds again: not more than one a second', (run) => void (run.pass(200), run.change('a', true)), 800],
    [
      'creds after something else: the sooner of the two',
      (run) => void (run.pass(20_000), run.change('a'), run.pass(3000), run.change('a', true)),
      500,
    ],
    [
      'more changes do not put it off',
      (run) => void (run.pass(100_000), run.change('a'), run.pass(4000), run.change('a')),
      1000,
    ],
    ['a second pairing: at once', (run) => void (run.pass(100), run.change('a', true, true), run.pass(0)), -1],
  ]
  for (const [name, prepare, delayMs] of cases) {
    const run = new Run()
    run.held('a')
    prepare(run)
    if (delayMs < 0) {
      t.ok(run.plan.accounts.get('a')?.work === 'save', name)
      continue
    }
    t.strictSame(run.pass(delayMs - 1), [], name)
    t.strictSame(run.pass(1), ['save a'], name)
  }
})

t.test("what the operator's word to save now begins", async (t) => {
  const cases: [string, (run: Run) => void, string[]][] = [
    ['within the interval', (run) => void (run.held('a'), run.pass(20_000), run.change('a')), ['save a']],
    ['nothing unsaved', (run) => run.held('a'), []],
    ['an account that nobody knows', () => undefined, []],
    [
      'after a failure: before the backoff is over',
      (run) => void (run.held('a'), run.pass(100_000), run.change('a'), run.pass(5000), run.fail('a')),
      ['save a'],
    ],
    [
      'another host has it: it is asked for again',
      (run) => {
        run.change('a', false, true)
        run.step({ type: 'refused', accountId: 'a', message: 'another has it', inHand: false })
      },
      ['claim a'],
    ],
    ['another account is named', (run) => void (run.held('b'), run.pass(20_000), run.change('b')), []],
    [
      'the target is away: one of them tries',
      (run) => {
        for (const id of ['a', 'b', 'c']) run.held(id)
        run.pass(100_000)
        for (const id of ['a', 'b', 'c']) run.change(id)
        run.pass(5000)
        for (const id of ['a', 'b', 'c']) run.fail(id)
      },
      ['save a'],
    ],
  ]
  for (const [name, prepare, expected] of cases) {
    const run = new Run()
    prepare(run)
    run.begun = []
    const accountIds = name.startsWith('the target') ? ['a', 'b', 'c'] : ['a']
    run.step({ type: 'save_now', accountIds })
    t.strictSame(run.begun, expected, name)
    run.begun = []
    run.step({ type: 'save_now', accountIds })
    t.strictSame(run.begun, [], `${name}: said twice`)
  }
})

t.test('what changes after the bytes were fetched is for the next backup', async (t) => {
  const run = new Run()
  run.held('a')
  run.pass(60_000)
  run.change('a')
  run.pass(5000)
  run.step({ type: 'fetched', accountId: 'a' })
  run.change('a')
  run.step({ type: 'saved', accountId: 'a', inHand: false })
  t.strictSame(unsavedAccounts(run.plan), ['a'])
  t.strictSame(run.pass(60_000), ['save a'])
})

t.test(
  'a failed backup is unsaved since the time that it was before, and is tried again, more and more slowly',
  async (t) => {
    const run = new Run()
    run.held('a')
    run.pass(60_000)
    run.change('a')
    const sinceMs = run.nowMs
    run.pass(5000)
    run.step({ type: 'fetched', accountId: 'a' })
    run.fail('a')
    t.equal(run.plan.accounts.get('a')?.unsaved.sinceMs, sinceMs)
    for (const delayMs of [5000, 10_000, 20_000]) {
      t.strictSame(run.pass(delayMs - 1), [])
      t.strictSame(run.pass(1), ['save a'])
      run.fail('a')
    }
  },
)

t.test('over quota: a minute, then longer', async (t) => {
  const run = new Run()
  run.held('a')
  run.pass(60_000)
  run.change('a')
  run.pass(5000)
  run.fail('a', 'quota')
  t.strictSame(run.pass(59_999), [])
  t.strictSame(run.pass(1), ['save a'])
})

t.test('what another host has is asked for again each minute, and neither saved nor deleted', async (t) => {
  const run = new Run()
  run.change('a', false, true)
  const message = 'It is of host "other".'
  run.step({ type: 'refused', accountId: 'a', message, inHand: false })
  run.step({ type: 'account_changed', accountId: 'a', urgent: true })
  t.equal(run.plan.accounts.get('a')?.refusal, message)
  t.strictSame(run.pass(59_999), [])
  t.strictSame(run.pass(1), ['claim a'])
  run.step({ type: 'refused', accountId: 'a', message, inHand: false })
  run.step({ type: 'removed', accountId: 'a' })
  run.pass(60_000)
  run.step({ type: 'refused', accountId: 'a', message, inHand: false })
  t.notOk(run.plan.accounts.has('a'), 'and forgotten')
})

t.test('one that was taken over while its backup was under way is unsaved again', async (t) => {
  const run = new Run()
  run.held('a')
  run.pass(60_000)
  run.change('a')
  run.pass(5000)
  run.step({ type: 'fetched', accountId: 'a' })
  run.step({ type: 'refused', accountId: 'a', message: 'taken', inHand: false })
  t.strictSame(unsavedAccounts(run.plan), ['a'])
  t.strictSame(run.pass(60_000), ['claim a'])
})

t.test('a removal goes before all else of the account, and once; added again meanwhile, it begins anew', async (t) => {
  const run = new Run()
  run.held('a')
  run.step({ type: 'removed', accountId: 'a' })
  t.strictSame(run.begun.at(-1), 'delete a')
  run.step({ type: 'account_changed', accountId: 'a', urgent: true })
  run.change('a', true, true)
  t.strictSame(run.pass(10_000), [])
  run.step({ type: 'deleted', accountId: 'a' })
  t.equal(run.begun.at(-1), 'claim a')
  run.step({ type: 'claimed', accountId: 'a' })
  t.equal(run.begun.at(-1), 'save a')

  const other = new Run()
  other.held('a')
  other.pass(60_000)
  other.change('a')
  other.pass(5000)
  other.step({ type: 'fetched', accountId: 'a' })
  other.step({ type: 'removed', accountId: 'a' })
  other.fail('a')
  t.strictSame(other.pass(5000), ['delete a'], 'and a backup that was under way is not tried again')
  other.step({ type: 'deleted', accountId: 'a' })
  t.equal(other.plan.accounts.size, 0)
})

t.test(
  'a document is written two seconds after the first change; a status alone not twice in half a minute',
  async (t) => {
    const run = new Run()
    run.held('a')
    run.step({ type: 'account_changed', accountId: 'a', urgent: false })
    t.strictSame(run.pass(2000), ['write_account a'])
    run.step({ type: 'account_changed', accountId: 'a', urgent: false })
    run.step({ type: 'account_written', accountId: 'a' })
    t.strictSame(run.pass(29_999), [])
    t.strictSame(run.pass(1), ['write_account a'])
    run.step({ type: 'account_written', accountId: 'a' })
    run.step({ type: 'account_changed', accountId: 'a', urgent: true })
    t.strictSame(run.pass(2000), ['write_account a'])
    run.fail('a')
    t.strictSame(run.pass(5000), ['write_account a'], 'one that failed is written again')
  },
)

t.test(
  'three accounts failing: one probes at a time, in turns; the first success brings all back at once',
  async (t) => {
    const run = new Run()
    const ids = ['a', 'b', 'c', 'd']
    for (const id of ids) run.held(id)
    run.pass(60_000)
    for (const id of ids) run.change(id)
    t.strictSame(run.pass(5000), ['save a', 'save b'])
    run.fail('a')
    run.fail('b')
    run.fail('c')
    t.ok(isClosed(run.plan, LIMITS))
    run.fail('d')
    const probes: string[] = []
    for (let i = 0; i < 4; i++) {
      const begun = run.pass(5 * 60_000)
      t.equal(begun.length, 1)
      probes.push(...begun)
      run.begun = []
      if (i < 3) run.fail(begun[0]?.split(' ')[1] ?? '')
    }
    t.equal(new Set(probes).size, 4, 'each had its turn')
    const last = probes[3]?.split(' ')[1] ?? ''
    run.saved(last)
    t.equal(run.begun.length, 2, 'two at a time again, without a wait')
  },
)

t.test("the host's document, written after it could not be, brings all back as well", async (t) => {
  const run = new Run()
  run.held('a')
  run.pass(60_000)
  run.change('a')
  run.pass(5000)
  run.step({ type: 'host_failed', random: 0.5 })
  for (let i = 0; i < 8; i++) {
    run.fail('a')
    run.nowMs += 1000
  }
  run.begun = []
  run.step({ type: 'host_written' })
  t.strictSame(run.begun, ['save a'])
})

t.test('a worker that gives nothing is put off by itself, until it says something', async (t) => {
  const run = new Run()
  run.held('a')
  run.pass(60_000)
  run.change('a')
  run.pass(5000)
  run.fail('a', 'account')
  t.equal(run.plan.failing.size, 0)
  run.begun = []
  run.change('a')
  t.strictSame(run.begun, ['save a'])
})

t.test('stopping: what is in hand goes at once, each is tried once, and after three failures nobody', async (t) => {
  const run = new Run()
  const ids = Array.from({ length: 12 }, (_, index) => `a${index}`)
  for (const id of ids) run.held(id)
  run.step({ type: 'shutting_down' })
  run.begun = []
  for (const id of ids) run.change(id)
  t.strictSame(run.begun, [], 'their workers still flush')
  for (const accountId of ids) run.step({ type: 'session_left', accountId })
  t.equal(run.begun.length, LIMITS.atOnceStopping)
  run.saved('a0')
  t.equal(run.begun.length, 9)
  run.fail('a1')
  t.equal(run.begun.length, 10)
  run.fail('a2')
  t.equal(run.begun.length, 11)
  run.fail('a3')
  run.fail('a4')
  t.equal(run.begun.length, 11, 'the target is away')
  t.equal(unsavedAccounts(run.plan).length, 11)
})

t.test('stopping: documents take no place of sessions, and a removal waits for the next start', async (t) => {
  const run = new Run()
  const ids = Array.from({ length: 12 }, (_, index) => `a${index}`)
  for (const id of ids) run.held(id)
  for (const accountId of ids) run.step({ type: 'account_changed', accountId, urgent: true })
  run.change('a11')
  run.begun = []
  run.step({ type: 'shutting_down' })
  t.strictSame(run.begun, ['write_account a0', 'write_account a1'])
  run.step({ type: 'removed', accountId: 'a10' })
  for (const accountId of ids.slice(2)) run.step({ type: 'session_left', accountId })
  t.equal(run.begun.filter((text) => text.startsWith('save')).length, LIMITS.atOnceStopping)
  t.notMatch(run.begun, ['delete'])
})
