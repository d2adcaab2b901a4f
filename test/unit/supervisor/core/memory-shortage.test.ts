import t from 'tap'
import { judgeKill, noShortage, shortageAt, SHORT_FOR_MS } from '../../../../supervisor/core/memory-shortage.ts'

t.test('a kill is for want of memory where the count of the kernel has grown', async (t) => {
  const first = judgeKill(noShortage(3), 'a', 4, 1000)
  t.equal(first.outOfMemory, true)
  t.strictSame(shortageAt(first.shortage, 1000), { firstMs: 1000, accounts: 1 })
  const byHand = judgeKill(first.shortage, 'b', 4, 60_000)
  t.equal(byHand.outOfMemory, false, 'the count is the same: somebody else killed it')
  t.strictSame(shortageAt(byHand.shortage, 60_000), { firstMs: 1000, accounts: 1 })
})

t.test('two kills at once may be in one count', async (t) => {
  const first = judgeKill(noShortage(0), 'a', 2, 1000)
  const second = judgeKill(first.shortage, 'b', 2, 1200)
  t.equal(second.outOfMemory, true)
  t.strictSame(shortageAt(second.shortage, 1200), { firstMs: 1000, accounts: 2 })
})

t.test('an account that is killed again and again is one account', async (t) => {
  let shortage = noShortage(0)
  for (let at = 1; at <= 5; at++) ({ shortage } = judgeKill(shortage, 'a', at, at * 10_000))
  t.strictSame(shortageAt(shortage, 50_000), { firstMs: 10_000, accounts: 1 })
})

t.test('it is over ten minutes after the last', async (t) => {
  const { shortage } = judgeKill(noShortage(0), 'a', 1, 1000)
  t.not(shortageAt(shortage, 1000 + SHORT_FOR_MS - 1), null)
  t.equal(shortageAt(shortage, 1000 + SHORT_FOR_MS), null)
  const later = judgeKill(shortage, 'b', 2, 1000 + SHORT_FOR_MS)
  t.strictSame(shortageAt(later.shortage, 1000 + SHORT_FOR_MS), { firstMs: 1000 + SHORT_FOR_MS, accounts: 1 })
})

t.test('where the kernel does not count, nobody knows', async (t) => {
  const { shortage, outOfMemory } = judgeKill(noShortage(null), 'a', null, 1000)
  t.equal(outOfMemory, false)
  t.equal(shortageAt(shortage, 1000), null)
  t.equal(judgeKill(noShortage(null), 'a', 7, 1000).outOfMemory, false, 'it was not known how many there had been')
})
