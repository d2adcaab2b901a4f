import fc from 'fast-check'
import t from 'tap'
import { BOOT_BUDGET, planBoot, type BootPace } from '../../../../supervisor/core/boot-plan.ts'

const DEFAULT: BootPace = { minMs: 2000, maxMs: 5000, ...BOOT_BUDGET }
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const randoms = fc.array(random, { minLength: 400, maxLength: 400, size: 'max' })
const from = (values: readonly number[]) => {
  let next = 0
  return () => values[next++ % values.length] ?? 0
}
const pausesOf = (offsets: readonly number[]) => offsets.slice(1).map((offset, i) => offset - (offsets[i] ?? 0))

t.test('nobody, one, and three', async (t) => {
  t.strictSame(
    planBoot(0, DEFAULT, () => 0.5),
    [],
  )
  t.strictSame(
    planBoot(1, DEFAULT, () => 0.5),
    [0],
  )
  t.strictSame(planBoot(3, DEFAULT, from([0, 0.5])), [0, 2000, 5500])
})

t.test('with bad luck 30 accounts are shrunk into the budget, with good luck they are not touched', async (t) => {
  const late = planBoot(30, DEFAULT, () => 0.999)
  t.equal(late.at(-1), 100_000)
  t.ok(Math.max(...pausesOf(late)) - Math.min(...pausesOf(late)) <= 1, 'in proportion')
  t.equal(planBoot(30, DEFAULT, () => 0).at(-1), 58_000)
})

t.test('no stagger starts everybody at once', async (t) => {
  t.strictSame(
    planBoot(30, { ...DEFAULT, minMs: 0, maxMs: 0 }, () => 0.7),
    Array(30).fill(0),
  )
})

t.test('whatever the dice: in order, the first at once, 30 within the budget, pauses within their bounds', async () => {
  const pace = fc
    .tuple(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: 20_000 }))
    .map(([minMs, spread]) => ({ ...DEFAULT, minMs, maxMs: minMs + spread }))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), pace, randoms, (count, pace, values) => {
      const offsets = planBoot(count, pace, from(values))
      if (offsets.length !== count || offsets[0] !== 0)
        throw new Error(`${offsets.length} offsets, first ${offsets[0]}`)
      const lastMs = offsets[Math.min(count, BOOT_BUDGET.budgetCount) - 1] ?? Number.NaN
      if (!(lastMs <= BOOT_BUDGET.budgetMs)) throw new Error(`the 30th starts at ${lastMs}`)
      const pauses = pausesOf(offsets)
      const shrunk = Math.round(lastMs) === BOOT_BUDGET.budgetMs
      for (const pause of pauses) {
        if (pause < 0 || pause > pace.maxMs) throw new Error(`a pause of ${pause}`)
        if (!shrunk && pause < pace.minMs) throw new Error(`a pause of ${pause} without need`)
      }
    }),
    { numRuns: 300 },
  )
})
