import t from 'tap'
import { ACCOUNT_KINDS, FLEET_KINDS, SLOW_MS } from '../../chaos/actions.ts'
import { describeAction, plan } from '../../chaos/plan.ts'

const SLOW = new Set([...ACCOUNT_KINDS, ...FLEET_KINDS].filter(({ slow }) => slow).map(({ name }) => name))

await t.test('the same seed gives the same plan, another one another', async (t) => {
  t.same(plan(7, 10, 1), plan(7, 10, 1))
  t.notSame(plan(7, 10, 1), plan(8, 10, 1))
})

await t.test('a long run has every kind of fault', async (t) => {
  const names = new Set(plan(1, 30, 5).map(({ name }) => name))
  t.same(
    [...ACCOUNT_KINDS, ...FLEET_KINDS].filter(({ name }) => !names.has(name)),
    [],
  )
})

await t.test('a short run kills the supervisor, fills the disk and refuses connections', async (t) => {
  for (let seed = 0; seed < 50; seed++) {
    const fleet = plan(seed, 10, 1).filter(({ phone }) => phone === null)
    t.same(
      fleet
        .slice(0, 3)
        .map(({ act }) => act.do)
        .sort(),
      ['fill_disk', 'kill_supervisor', 'stop_listening'],
    )
  }
})

await t.test('a plan is in order, within its time, and slow faults have time to be found', async (t) => {
  for (let seed = 0; seed < 50; seed++) {
    const actions = plan(seed, 10, 1)
    const times = actions.map(({ atMs }) => atMs)
    t.same(
      times,
      [...times].sort((a, b) => a - b),
    )
    t.ok(times.every((atMs) => atMs >= 0 && atMs < 60_000))
    t.ok(actions.every(({ name, atMs }) => !SLOW.has(name) || atMs <= 60_000 - SLOW_MS))
  }
})

await t.test('an account that its phone unlinked is left alone afterwards, and most are not unlinked', async (t) => {
  for (const [accounts, expected] of [
    [2, 1],
    [10, 1],
    [30, 2],
  ] as const) {
    const actions = plan(3, accounts, 2)
    const unlinks = actions.filter(({ act }) => act.do === 'unlink')
    t.equal(unlinks.length, expected)
    for (const { phone, atMs } of unlinks) {
      t.notOk(actions.some((action) => action.phone === phone && action.atMs > atMs))
    }
  }
})

await t.test('a line of the plan names the account by its place', async (t) => {
  const [line = ''] = plan(1, 2, 1).map(describeAction)
  t.match(line, /^ +\d+\.\d s {2}(account \d|everybody) /)
  t.notMatch(line, /\d{6}/)
})
