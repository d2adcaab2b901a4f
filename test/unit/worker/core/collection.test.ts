import t from 'tap'
import {
  PATIENCE_MS,
  PATIENCE_SPREAD_MS,
  patienceOf,
  shouldCollect,
  type CollectionSample,
  type Collections,
} from '../../../../worker/core/collection.ts'

const MIB = 1024 * 1024
const NEW: Collections = { usedBytes: 0, lastMs: 1000 }
const LATER: Collections = { usedBytes: 15 * MIB, lastMs: 100_000 }

const TABLE: [string, Collections, Omit<CollectionSample, 'patienceMs'>, boolean][] = [
  ['after a start, quiet', NEW, { nowMs: 22_000, quietForMs: 20_000, usedBytes: 16 * MIB }, true],
  ['after a start, not quiet yet', NEW, { nowMs: 22_000, quietForMs: 19_999, usedBytes: 16 * MIB }, false],
  ['after a burst', LATER, { nowMs: 161_000, quietForMs: 25_000, usedBytes: 22 * MIB }, true],
  ['nothing to gain', LATER, { nowMs: 161_000, quietForMs: 60_000, usedBytes: 18 * MIB - 1 }, false],
  ['just worth it', LATER, { nowMs: 161_000, quietForMs: 60_000, usedBytes: 18 * MIB }, true],
  ['too soon after the last', LATER, { nowMs: 159_999, quietForMs: 25_000, usedBytes: 30 * MIB }, false],
  ['busy', LATER, { nowMs: 399_999, quietForMs: 3000, usedBytes: 30 * MIB }, false],
  ['busy for long, in a pause', LATER, { nowMs: 400_000, quietForMs: 1000, usedBytes: 30 * MIB }, true],
  ['busy for long, no pause', LATER, { nowMs: 400_000, quietForMs: 999, usedBytes: 30 * MIB }, false],
]

for (const [name, last, sample, expected] of TABLE) {
  t.test(name, async (t) => t.equal(shouldCollect(last, { ...sample, patienceMs: 300_000 }), expected))
}

t.test('each account has a patience of its own', async (t) => {
  const all = Array.from({ length: 200 }, (_, at) => patienceOf(`account_prod_${at}`))
  t.ok(Math.min(...all) >= PATIENCE_MS && Math.max(...all) < PATIENCE_MS + PATIENCE_SPREAD_MS)
  // Of any ten seconds no more accounts than three times their share.
  const perSlot = all
    .map((ms) => Math.floor(ms / 10_000))
    .reduce((so, slot) => so.set(slot, (so.get(slot) ?? 0) + 1), new Map<number, number>())
  t.ok(Math.max(...perSlot.values()) <= 3 * Math.ceil((200 * 10_000) / PATIENCE_SPREAD_MS))
})
