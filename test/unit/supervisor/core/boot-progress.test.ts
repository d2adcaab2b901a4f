import t from 'tap'
import { bootProgress } from '../../../../supervisor/core/boot-progress.ts'

const state = { connected: 0, settled: 0, total: 30, elapsedMs: 0, lastStartMs: 100_000 }

t.test('how long a boot may still take', async (t) => {
  const cases: [string, Partial<typeof state>, number][] = [
    ['at first by the plan', {}, 104_000],
    ['and on by the plan', { elapsedMs: 50_000, settled: 15 }, 54_000],
    ['a slow host shows by its pace', { elapsedMs: 90_000, settled: 9 }, 210_000],
    ['one or two say nothing about the pace', { elapsedMs: 60_000, settled: 2 }, 44_000],
    ['what is late is not negative', { elapsedMs: 500_000, settled: 0 }, 0],
    ['when all are there it is over', { elapsedMs: 20_000, settled: 30 }, 0],
  ]
  for (const [title, change, expected] of cases)
    t.equal(bootProgress({ ...state, ...change }).remainingMs, expected, title)
  t.match(bootProgress({ ...state, connected: 3, settled: 5 }), { connected: 3, settled: 5, total: 30 })
})
