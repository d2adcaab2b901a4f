import t from 'tap'
import { FloodGuard } from '../../../shared/log-flood.ts'

t.test(
  'so many of a kind within a window, then none; the first of the next says how many were not printed',
  async (t) => {
    let nowMs = 0
    const guard = new FloodGuard(() => nowMs, { linesPerWindow: 3, windowMs: 1000 })
    const admit = (count: number): (number | undefined)[] => Array.from({ length: count }, () => guard.admit('a'))
    t.same(admit(5), [0, 0, 0, undefined, undefined])
    t.equal(guard.admit('b'), 0, 'another kind is not held up')
    nowMs = 999
    t.equal(guard.admit('a'), undefined)
    nowMs = 1000
    t.same(admit(4), [3, 0, 0, undefined])
  },
)

t.test('a hundred thousand kinds take no more memory than five thousand', async (t) => {
  const guard = new FloodGuard(() => 0, { linesPerWindow: 1, windowMs: 1000 })
  for (let i = 0; i < 100_000; i++) if (guard.admit(`kind ${i}`) === undefined) t.fail(`kind ${i}`)
  t.equal(guard.admit('kind 99999'), undefined, 'the latest are known')
  t.equal(guard.admit('kind 0'), 0, 'the oldest were forgotten')
})
