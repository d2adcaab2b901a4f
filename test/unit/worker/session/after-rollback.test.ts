import { generateOrGetPreKeys, initAuthCreds } from '@whiskeysockets/baileys'
import t from 'tap'
import { afterRollback, PRE_KEY_MARGIN } from '../../../../worker/session/after-rollback.ts'

t.test('no prekey id that was handed out is given again, and none is taken for made', async (t) => {
  const cases: [number, number, { next: number; first: number } | undefined, number][] = [
    [813, 813, undefined, 813],
    // Made and stored, not uploaded: after the rollback nobody knows whether they were.
    [900, 880, undefined, 900],
    [813, 813, { next: 1200, first: 1200 }, 1200],
    [1200, 1200, { next: 813, first: 813 }, 1200],
    [1, 1, undefined, 1],
  ]
  for (const [nextPreKeyId, firstUnuploadedPreKeyId, newer, handedOut] of cases) {
    const creds = { ...initAuthCreds(), nextPreKeyId, firstUnuploadedPreKeyId }
    const newest = newer && { ...creds, nextPreKeyId: newer.next, firstUnuploadedPreKeyId: newer.first }
    const after = afterRollback(creds, newest)
    t.strictSame(after, {
      ...creds,
      nextPreKeyId: handedOut + PRE_KEY_MARGIN,
      firstUnuploadedPreKeyId: handedOut + PRE_KEY_MARGIN,
    })
    t.equal(creds.nextPreKeyId, nextPreKeyId, 'what was given is not changed')
    const made = generateOrGetPreKeys(after, 5)
    t.same(
      Object.keys(made.newPreKeys).map(Number),
      [0, 1, 2, 3, 4].map((at) => handedOut + PRE_KEY_MARGIN + at),
      'Baileys makes five new ones from there',
    )
  }
})
