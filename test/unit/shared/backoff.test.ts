import fc from 'fast-check'
import t from 'tap'
import { BACKOFF, backoffMs } from '../../../shared/backoff.ts'

t.test('1, 2, 4, 8, 16 s, then 30 s for ever', async (t) => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 100, 10_000].map((attempt) => backoffMs(attempt, 0.5))
  t.strictSame(delays, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000])
})

t.test('jitter goes both ways by a tenth', async (t) => {
  t.equal(backoffMs(4, 0), 7200)
  t.equal(backoffMs(4, 0.5), 8000)
  t.equal(backoffMs(4, 0.9999999), 8800)
  t.equal(backoffMs(4, 0.9, { ...BACKOFF, jitter: 0 }), 8000)
})

t.test('an attempt below one counts as the first', async (t) => {
  t.equal(backoffMs(0, 0.5), 1000)
  t.equal(backoffMs(-5, 0.5), 1000)
})

t.test('never shorter than 0.9 of the first, never longer than 1.1 of the cap, never falling', async () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 }), random, (attempt, random) => {
      const delayMs = backoffMs(attempt, random)
      if (!Number.isInteger(delayMs) || delayMs < 900 || delayMs > 33_000) throw new Error(`${delayMs} ms`)
      if (backoffMs(attempt + 1, random) < delayMs) throw new Error('fell')
    }),
  )
})
