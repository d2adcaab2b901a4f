import t from 'tap'
import { FloodGuard } from '../../../shared/log-flood.ts'

t.test('so many of a kind within a window, then none; when the window is over the rest is counted', async (t) => {
  let nowMs = 0
  const guard = new FloodGuard(() => nowMs, { linesPerWindow: 3, windowMs: 1000 })
  const told: [string, number][] = []
  const admit = (kind: string): boolean => guard.admit(kind, (count) => told.push([kind, count]))
  const admitMany = (count: number): boolean[] => Array.from({ length: count }, () => admit('a'))
  t.equal(guard.dueMs, undefined)
  t.same(admitMany(5), [true, true, true, false, false])
  t.equal(guard.dueMs, 1000)
  t.equal(admit('b'), true, 'another kind is not held up')
  nowMs = 999
  t.equal(admit('a'), false)
  guard.tellOver()
  t.same(told, [], 'nothing before the window is over')
  nowMs = 1000
  guard.tellOver()
  t.same(told, [['a', 3]])
  t.equal(guard.dueMs, undefined, 'and it is said once')
  t.same(admitMany(4), [true, true, true, false])
  nowMs = 2000
  t.equal(admit('a'), true)
  t.same(told.slice(1), [['a', 1]], 'the next line of the kind says it as well')
  t.same(admitMany(3), [true, true, false])
  guard.tellAll()
  t.same(told.slice(2), [['a', 1]], 'and the end of the process')
})

t.test('a hundred thousand kinds take no more memory than five thousand', async (t) => {
  const guard = new FloodGuard(() => 0, { linesPerWindow: 1, windowMs: 1000 })
  const told: string[] = []
  const admit = (kind: string): boolean => guard.admit(kind, () => told.push(kind))
  for (let i = 0; i < 100_000; i++) if (!admit(`kind ${i}`)) t.fail(`kind ${i}`)
  t.equal(admit('kind 99999'), false, 'the latest are known')
  t.equal(admit('kind 0'), true, 'the oldest were forgotten')
  for (let i = 0; i < 10_000; i++) admit(`later ${i}`)
  t.same(told, ['kind 99999'], 'what is forgotten has told what it kept back')
})
