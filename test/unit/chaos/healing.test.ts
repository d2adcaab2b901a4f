import t from 'tap'
import { Healing } from '../../chaos/healing.ts'

await t.test('an action has healed when the last account that it struck is online again', async (t) => {
  const healing = new Healing()
  const action = healing.begin(['1', '2', '3'], 1000)
  healing.closed('1', 1100)
  healing.closed('2', 1200)
  healing.online('2', 2000)
  t.match(healing.of(action), { struck: 2, waiting: 1, healedAfterMs: null })
  healing.online('1', 4000)
  t.match(healing.of(action), { struck: 2, waiting: 0, healedAfterMs: 3000 })
})

await t.test('what comes after the return is another action', async (t) => {
  const healing = new Healing()
  const action = healing.begin(['1'], 0)
  healing.closed('1', 10)
  healing.online('1', 20)
  healing.closed('1', 30)
  healing.online('1', 9000)
  t.match(healing.of(action), { struck: 1, healedAfterMs: 20 })
})

await t.test('an action that ended no connection has nothing to heal', async (t) => {
  const healing = new Healing()
  const action = healing.begin(['1'], 0)
  healing.closed('2', 10)
  healing.closed('1', 90_000)
  t.match(healing.of(action), { struck: 0, waiting: 0, healedAfterMs: null })
})
