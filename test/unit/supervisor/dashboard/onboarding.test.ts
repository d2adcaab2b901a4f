import t from 'tap'
import type { Account } from '../../../../supervisor/dashboard/api-types.ts'
import { advance, choose, NEW_WALK, skip, stepOf } from '../../../../supervisor/dashboard/core/onboarding.ts'
import { dashboardAccount } from '../../../fixtures/dashboard-account.ts'

const waiting = (accountId: string): Account =>
  dashboardAccount({ accountId, status: 'needs_qr', reason: 'not_linked' })
const linked = (accountId: string): Account => dashboardAccount({ accountId })
const onItsWay = (accountId: string): Account =>
  dashboardAccount({ accountId, status: 'connecting', reason: 'restart_required' })
const ABC = [waiting('a'), waiting('b'), waiting('c')]
const WALK = advance(NEW_WALK, ABC)

t.test('goes through those that wait, in their order, and knows the next one', async (t) => {
  t.strictSame(stepOf(WALK, ABC, null), { current: 'a', next: 'b', left: 3 })
  t.equal(advance(WALK, ABC), WALK, 'nothing new')
})

t.test('stays with an account that has scanned until it is connected', async (t) => {
  const accounts = [onItsWay('a'), waiting('b'), waiting('c')]
  t.strictSame(stepOf(WALK, accounts, 'a'), { current: 'a', next: 'b', left: 3 })
  t.strictSame(stepOf(WALK, accounts, null), { current: 'b', next: 'c', left: 2 }, 'but does not go back to it')
  const done = [linked('a'), waiting('b'), waiting('c')]
  const walk = advance(WALK, done)
  t.strictSame(walk.linked, ['a'])
  t.strictSame(stepOf(walk, done, 'a'), { current: 'b', next: 'c', left: 2 })
})

t.test('the next one keeps its place while its code is fetched, and nobody else is asked for one', async (t) => {
  const asking = dashboardAccount({ accountId: 'b', status: 'connecting', reason: null })
  t.strictSame(stepOf(WALK, [waiting('a'), asking], 'a'), { current: 'a', next: 'b', left: 2 })
  t.strictSame(stepOf(WALK, [waiting('a'), asking, waiting('c')], 'a'), { current: 'a', next: 'b', left: 3 })
  t.strictSame(stepOf(skip(WALK, 'a'), [waiting('a'), asking], 'a'), { current: 'b', next: 'a', left: 2 })
  const accounts = [waiting('a'), linked('b'), waiting('c')]
  const walk = advance(WALK, accounts)
  t.strictSame(stepOf(walk, [waiting('a'), asking, waiting('c')], 'a').left, 2, 'who is linked connects again')
})

t.test('who is skipped comes again at the end', async (t) => {
  const once = skip(WALK, 'a')
  t.strictSame(stepOf(once, ABC, 'a'), { current: 'b', next: 'c', left: 3 })
  const twice = skip(once, 'b')
  t.strictSame(stepOf(twice, ABC, 'b'), { current: 'c', next: 'a', left: 3 })
  const all = skip(twice, 'c')
  t.strictSame(stepOf(all, ABC, 'c'), { current: 'a', next: 'b', left: 3 })
  t.strictSame(stepOf(skip(all, 'a'), ABC, 'a'), { current: 'b', next: 'c', left: 3 })
})

t.test('whoever is chosen comes to the front', async (t) => {
  t.strictSame(stepOf(choose(WALK, 'c'), ABC, null), { current: 'c', next: 'a', left: 3 })
  t.strictSame(stepOf(choose(skip(WALK, 'c'), 'c'), ABC, null), { current: 'c', next: 'a', left: 3 })
})

t.test('who comes later is added, who is removed or paused is passed over', async (t) => {
  const accounts = [
    waiting('b'),
    dashboardAccount({ accountId: 'c', status: 'disconnected', reason: 'paused' }),
    waiting('d'),
  ]
  const walk = advance(WALK, accounts)
  t.strictSame(walk.order, ['a', 'b', 'c', 'd'])
  t.strictSame(stepOf(walk, accounts, 'a'), { current: 'b', next: 'd', left: 2 })
})

t.test('ends', async (t) => {
  const accounts = ['a', 'b', 'c'].map(linked)
  const walk = advance(WALK, accounts)
  t.strictSame(stepOf(walk, accounts, 'c'), { current: null, next: null, left: 0 })
  t.equal(walk.linked.length, 3)
})
