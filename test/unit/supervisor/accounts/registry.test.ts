import t from 'tap'
import { newAccount, Registry, type Account } from '../../../../supervisor/accounts/registry.ts'
import { NEW_CHILD } from '../../../../supervisor/core/child-lifecycle.ts'
import { ManualClock, settle } from '../../../fixtures/manual-clock.ts'

const account = (accountId: string, more: Partial<Account> = {}): Account => ({
  ...newAccount(
    { accountId, name: accountId, phone: '+40712345678', desired: 'running', purge: false, createdAt: '' },
    NEW_CHILD,
  ),
  ...more,
})

t.test('keeps accounts in the order in which they were added, and finds them', async (t) => {
  const registry = new Registry(new ManualClock())
  for (const id of ['c', 'a', 'b']) registry.put(account(id))
  registry.put(account('c', { crashCount: 1 }))
  t.strictSame(
    registry.all().map(({ record }) => record.accountId),
    ['c', 'a', 'b'],
  )
  t.equal(registry.size, 3)
  t.equal(registry.get('c')?.crashCount, 1)
  t.equal(registry.get('x'), undefined)
  t.equal(registry.findByPhone('+40712345678')?.record.accountId, 'c')
  t.equal(registry.findByPhone('+4'), undefined)
})

t.test('every change has its revision; an end of nothing is no change; who left hears nothing', async (t) => {
  const registry = new Registry(new ManualClock())
  const heard: [string, number][] = []
  const leave = registry.subscribe((id, revision) => heard.push([id, revision]))
  registry.put(account('a'))
  registry.put(account('a'))
  registry.delete('b')
  registry.delete('a')
  leave()
  registry.put(account('c'))
  t.strictSame(heard, [
    ['a', 1],
    ['a', 2],
    ['a', 3],
  ])
  t.equal(registry.revision, 4)
})

t.test('a listener that leaves while it is told does not cost another one the news', async (t) => {
  const registry = new Registry(new ManualClock())
  const heard: string[] = []
  const leave = registry.subscribe(() => {
    heard.push('first')
    leave()
  })
  registry.subscribe(() => heard.push('second'))
  registry.put(account('a'))
  registry.put(account('a'))
  t.strictSame(heard, ['first', 'second', 'second'])
})

t.test('times of the supervisor are shown as times of the day', async (t) => {
  const clock = new ManualClock({ startMs: 1000 })
  const state = { name: 'backing_off', untilMs: 5000, reason: 'worker_crashed' } as const
  const status = new Registry(clock).statusOf(account('a', { child: { ...NEW_CHILD, state } }))
  t.equal(status.nextTryAtMs, clock.nowMs() + 4000)
})

t.test('waitFor', async (t) => {
  const started = () => {
    const clock = new ManualClock()
    const registry = new Registry(clock)
    registry.put(account('a'))
    const seen: { result?: Account | undefined; done: boolean } = { done: false }
    const wait = (wanted: (account: Account) => boolean) =>
      void registry.waitFor('a', wanted, 1000).then((result) => Object.assign(seen, { result, done: true }))
    return { clock, registry, seen, wait }
  }
  const crashed = ({ crashCount }: Account): boolean => crashCount > 0

  t.test('resolves at once with what is there already', async (t) => {
    const { clock, seen, wait } = started()
    wait(() => true)
    await settle()
    t.equal(seen.done, true)
    t.equal(clock.pending, 0, 'and leaves no timer')
  })

  t.test('resolves with the first state that is wanted', async (t) => {
    const { clock, registry, seen, wait } = started()
    wait(crashed)
    registry.put(account('b', { crashCount: 7 }))
    registry.put(account('a'))
    await settle()
    t.equal(seen.done, false)
    registry.put(account('a', { crashCount: 1 }))
    registry.put(account('a', { crashCount: 2 }))
    await settle()
    t.equal(seen.result?.crashCount, 1)
    t.equal(clock.pending, 0)
  })

  t.test('resolves with the state at the deadline', async (t) => {
    const { clock, registry, seen, wait } = started()
    wait(crashed)
    registry.put(account('a', { reconnectCount: 3 }))
    clock.advance(999)
    await settle()
    t.equal(seen.done, false)
    clock.advance(1)
    await settle()
    t.equal(seen.result?.reconnectCount, 3)
  })

  t.test('resolves with nothing when the account is gone', async (t) => {
    const { clock, registry, seen, wait } = started()
    wait(crashed)
    registry.delete('a')
    await settle()
    t.strictSame(seen, { result: undefined, done: true })
    t.equal(clock.pending, 0)
    t.equal(await registry.waitFor('never', crashed, 1000), undefined)
  })
})

t.test('an account whose number another one is: the elder is the one that the number belongs to', async (t) => {
  const X = '+40712345678'
  const Y = '+40700000001'
  const registry = new Registry(new ManualClock())
  const of = (accountId: string, phone: string | null, more: Partial<Account> = {}): Account => {
    const known = account(accountId, more)
    return { ...known, record: { ...known.record, phone } }
  }
  const elderOf = (...accounts: Account[]): string | undefined => {
    for (const one of accounts) registry.put(one)
    return registry.findElder('b', X)?.record.accountId
  }
  t.equal(elderOf(of('a', X), of('b', X)), 'a')
  t.equal(elderOf(of('a', null, { linkedPhone: X }), of('b', X)), 'a')
  t.equal(elderOf(of('a', Y), of('b', X)), undefined)
  t.equal(
    elderOf(of('a', Y, { linkedPhone: X }), of('b', X)),
    undefined,
    "it was b's phone that scanned for a, by mistake",
  )
  t.equal(elderOf(of('a', X), of('b', Y)), undefined, "it is a's phone that scanned for b: that has its own end")
  t.equal(elderOf(of('a', X), of('b', null)), 'a')
})
