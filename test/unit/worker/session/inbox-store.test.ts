import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { addTransactionCapability } from '@whiskeysockets/baileys'
import t from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { createLog } from '../../../../shared/log.ts'
import { Inbox } from '../../../../worker/core/inbox.ts'
import { exportSession } from '../../../../worker/session/export.ts'
import { inboxData } from '../../../../worker/session/inbox-store.ts'
import { openSession } from '../../../../worker/session/session.ts'
import { readStoredSession } from '../../../../worker/session/stored-session.ts'
import { createBaileysLog } from '../../../../worker/socket/baileys-log.ts'

const baileysLog = createBaileysLog(createLog('silent'), systemClock)

t.test(
  'what a transaction sets with a ratchet is in the inbox at the next start, through compactions too',
  async (t) => {
    const dir = join(t.testdir(), 'session')
    const session = await openSession({ dir, compaction: { factor: 1, slackBytes: 2000 } })
    t.strictSame(session.inbox, [])
    const keys = addTransactionCapability(session.authState.keys, baileysLog, {
      maxCommitRetries: 1,
      delayBetweenTriesMs: 0,
    })
    const inbox = new Inbox('stream', session.inbox, 5)
    for (let n = 1; n <= 40; n++) {
      await keys.transaction(async () => {
        await keys.set({ session: { 'a.0': Buffer.alloc(100, n) } })
        await keys.set(inboxData(inbox.add(`stanza ${n}`, `M${n}`, n)))
      }, 'a')
      inbox.committed(n)
      inbox.take(n)
    }
    await session.close()

    const stored = await readStoredSession(dir)
    t.strictSame(stored.keysByType, { session: 1 }, 'it is no Signal key')
    await stored.close()
    const target = `${dir}-exported`
    await exportSession(dir, target)
    t.strictSame(readdirSync(target).sort(), ['creds.json', 'session-a.0.json'], "and no part of Baileys' layout")

    const again = await openSession({ dir })
    t.strictSame(again.inbox.map(({ sequence }) => sequence).sort(), [36, 37, 38, 39, 40])
    const next = new Inbox('other', again.inbox)
    t.strictSame(next.next(10), [{ sequence: 40, id: 'M40', atMs: 40 }], 'the last one was not known to be taken yet')
    t.equal(next.add('x', 'X', 0).record.sequence, 41)
    await again.close()
  },
)

t.test('a transaction that fails leaves neither ratchet nor record', async (t) => {
  const session = await openSession({ dir: join(t.testdir(), 'session') })
  const keys = addTransactionCapability(session.authState.keys, baileysLog, {
    maxCommitRetries: 1,
    delayBetweenTriesMs: 0,
  })
  const inbox = new Inbox('stream', session.inbox)
  const work = async (): Promise<void> => {
    await keys.set({ session: { 'a.0': Buffer.alloc(100) } })
    await keys.set(inboxData(inbox.add('stanza', 'M', 0)))
    throw new Error('the decryption failed after all')
  }
  await t.rejects(keys.transaction(work, 'a'), /after all/)
  const { revision } = session
  await session.flush()
  t.equal(session.revision, revision)
  await session.close()
})
