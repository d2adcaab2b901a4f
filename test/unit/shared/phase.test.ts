import t from 'tap'
import { phaseOf } from '../../../shared/phase.ts'

t.test('a name has the same phase always, within the interval', async (t) => {
  t.equal(phaseOf('account_prod_1', 5000), phaseOf('account_prod_1', 5000))
  for (const intervalMs of [0, 1, 2.5, 100, 60_000]) {
    const phaseMs = phaseOf('account_prod_1', intervalMs)
    t.ok(phaseMs >= 0 && phaseMs <= intervalMs && Number.isInteger(phaseMs), `${phaseMs} of ${intervalMs}`)
  }
})

t.test('names that differ in a digit are spread evenly', async (t) => {
  const slots = Array.from({ length: 10 }, () => 0)
  for (let at = 0; at < 200; at++) {
    const slot = Math.floor(phaseOf(`account_prod_407000${String(at).padStart(5, '0')}`, 10_000) / 1000)
    slots[slot] = (slots[slot] ?? 0) + 1
  }
  // 20 in each on average; what is drawn at random has 5 to 37 in all ten but once in a thousand times.
  t.ok(
    slots.every((count) => count >= 5 && count <= 37),
    slots.join(' '),
  )
})
