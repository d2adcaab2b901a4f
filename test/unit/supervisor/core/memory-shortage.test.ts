import t from 'tap'
import type { ChildState } from '../../../../supervisor/core/child-lifecycle.ts'
import {
  accountsShortOf,
  forgetShortage,
  heirOfMemory,
  judgeKill,
  noShortage,
  SHORT_FOR_MS,
} from '../../../../supervisor/core/memory-shortage.ts'

t.test('a kill is for want of memory where the count of the kernel has grown', async (t) => {
  const first = judgeKill(noShortage(3), 'a', 4, 1000)
  t.equal(first.outOfMemory, true)
  t.equal(accountsShortOf(first.shortage, 1000), 1)
  const byHand = judgeKill(first.shortage, 'b', 4, 60_000)
  t.equal(byHand.outOfMemory, false, 'the count is the same: somebody else killed it')
  t.equal(accountsShortOf(byHand.shortage, 60_000), 1)
})

t.test('two kills at once may be in one count', async (t) => {
  const first = judgeKill(noShortage(0), 'a', 2, 1000)
  const second = judgeKill(first.shortage, 'b', 2, 1200)
  t.equal(second.outOfMemory, true)
  t.equal(judgeKill(second.shortage, 'c', 2, 1300).outOfMemory, false, 'both are accounted for')
  t.equal(judgeKill(first.shortage, 'b', 2, 90_000).outOfMemory, false, 'the other one was no worker')
  t.equal(accountsShortOf(second.shortage, 1200), 2)
})

t.test('an account that is killed again and again is one account', async (t) => {
  let shortage = noShortage(0)
  for (let at = 1; at <= 5; at++) ({ shortage } = judgeKill(shortage, 'a', at, at * 10_000))
  t.equal(accountsShortOf(shortage, 50_000), 1)
})

t.test('it is over a quarter of an hour after the last', async (t) => {
  const { shortage } = judgeKill(noShortage(0), 'a', 1, 1000)
  t.equal(accountsShortOf(shortage, 1000 + SHORT_FOR_MS - 1), 1)
  t.equal(accountsShortOf(shortage, 1000 + SHORT_FOR_MS), 0)
  const later = judgeKill(shortage, 'b', 2, 1000 + SHORT_FOR_MS)
  t.equal(accountsShortOf(later.shortage, 1000 + SHORT_FOR_MS), 1)
})

t.test('where the kernel does not count, nobody knows', async (t) => {
  const { shortage, outOfMemory } = judgeKill(noShortage(null), 'a', null, 1000)
  t.equal(outOfMemory, false)
  t.equal(accountsShortOf(shortage, 1000), 0)
  t.equal(judgeKill(noShortage(null), 'a', 7, 1000).outOfMemory, false, 'it was not known how many there had been')
})

t.test('a count that can not be read once is not forgotten', async (t) => {
  const unread = judgeKill(noShortage(3), 'a', null, 1000)
  t.equal(unread.outOfMemory, false)
  t.equal(judgeKill(unread.shortage, 'b', 4, 2000).outOfMemory, true)
})

t.test('memory of a worker that ended for good goes to the account that would try next', async (t) => {
  const waits = { name: 'backing_off', reason: 'out_of_memory' } as const
  const account = (accountId: string, state: ChildState) => ({ record: { accountId }, child: { state } })
  const crashed: ChildState = { name: 'backing_off', reason: 'worker_crashed', untilMs: 1 }
  const accounts = [
    account('runs', { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false }),
    account('crashed', crashed),
    account('late', { ...waits, untilMs: 500 }),
    account('soon', { ...waits, untilMs: 100 }),
    account('later', { ...waits, untilMs: 900 }),
  ]
  t.equal(heirOfMemory({ name: 'absent' }, accounts), 'soon')
  t.equal(heirOfMemory({ name: 'given_up', reason: 'session_damaged' }, accounts), 'soon')
  t.equal(heirOfMemory({ name: 'queued' }, accounts), undefined, 'it starts again')
  t.equal(heirOfMemory(crashed, accounts), undefined, 'so does this one')
  t.equal(heirOfMemory(undefined, accounts), undefined)
  t.equal(heirOfMemory({ name: 'absent' }, accounts.slice(0, 2)), undefined, 'none waits for memory')
})

t.test('what an account lacked that is not to run any more is forgotten, also where it was killed twice', async (t) => {
  let shortage = noShortage(0)
  for (const [index, id] of ['a', 'b', 'a'].entries()) ({ shortage } = judgeKill(shortage, id, index + 1, 1000))
  t.equal(accountsShortOf(forgetShortage(shortage, 'a'), 1000), 1)
})
