/**
 * A backup becomes the session where there is none, whole or not at all; a session that is there wins.
 */
import { initAuthCreds, type AuthenticationCreds } from '@whiskeysockets/baileys'
import fc from 'fast-check'
import t from 'tap'
import { SessionError } from '../../../../shared/session/session-error.ts'
import { restoreFileName, savedAtOf } from '../../../../shared/session/restore-file.ts'
import { PRE_KEY_MARGIN } from '../../../../worker/session/after-rollback.ts'
import { serializeCreds } from '../../../../worker/session/creds.ts'
import { recoverSession } from '../../../../worker/session/recover.ts'
import { openSession } from '../../../../worker/session/session.ts'
import { SimulatedDisk, type DiskTree } from './fixtures/disk.ts'
import { batchOf, readCount } from './fixtures/model.ts'
import { Random } from './fixtures/random.ts'

const DIR = '/sessions/account'
const NOW_MS = Date.UTC(2026, 0, 31)
const SAVED_MS = Date.UTC(2026, 0, 30)
const RESTORE = restoreFileName(SAVED_MS)
const ORDER = { sessionsPath: '/sessions', accountId: 'account', from: 'backup', nowMs: NOW_MS } as const

const linkedCreds = (): AuthenticationCreds => ({
  ...initAuthCreds(),
  nextPreKeyId: 813,
  firstUnuploadedPreKeyId: 813,
  me: { id: '40700000001:1@s.whatsapp.net' },
  account: { details: Buffer.from('x') },
})
const diskWith = (account: DiskTree): SimulatedDisk => SimulatedDisk.of({ sessions: { account } })

/** What a backup holds: the snapshot of a session of so many batches. */
async function backupOf(batches: number): Promise<Buffer> {
  const disk = diskWith({ 'creds.json': serializeCreds(linkedCreds()) })
  const session = await openSession({ dir: DIR, fs: disk })
  for (let number = 1; number <= batches; number++) await session.authState.keys.set({ 'lid-mapping': batchOf(number) })
  const { bytes } = await session.snapshot()
  await session.close()
  return bytes
}

t.test('the name of a backup says when it was saved, and other names say nothing', async (t) => {
  t.equal(savedAtOf(RESTORE), SAVED_MS)
  for (const name of ['session.log', 'session.restore-', 'session.restore-1x', `${RESTORE}.tmp`]) {
    t.equal(savedAtOf(name), undefined, name)
  }
})

t.test('where nothing is, the backup becomes the session, with new prekey ids and a note', async (t) => {
  const disk = diskWith({ [RESTORE]: await backupOf(20) })
  const done = await recoverSession({ ...ORDER, fs: disk })
  t.match(done, { recovery: { from: 'backup', savedAtMs: SAVED_MS, recordsLost: 0 }, asidePath: undefined })
  const session = await openSession({ dir: DIR, fs: disk })
  t.equal(await readCount(session), 20)
  t.equal(session.authState.creds.nextPreKeyId, 813 + PRE_KEY_MARGIN)
  t.match(session.recovery, { from: 'backup', savedAtMs: SAVED_MS })
  await session.close()
  t.notOk((await disk.readDir(DIR)).some(({ name }) => name === RESTORE))
  t.equal(await recoverSession({ ...ORDER, fs: disk }), undefined, 'asked again, nothing is done')
})

t.test('a session on the disk wins, whatever their ages', async (t) => {
  const disk = diskWith({ 'session.log': await backupOf(3), [RESTORE]: await backupOf(20) })
  t.equal(await recoverSession({ ...ORDER, fs: disk }), undefined)
  const session = await openSession({ dir: DIR, fs: disk })
  t.equal(await readCount(session), 3)
  await session.close()
})

t.test('a damaged one gives way at the word, and is kept', async (t) => {
  const damaged = (await backupOf(30)).subarray(0, 500)
  const disk = diskWith({ 'session.log': damaged, [RESTORE]: await backupOf(20) })
  const done = await recoverSession({ ...ORDER, fs: disk })
  t.match(done?.asidePath, /\.set-aside\/account-.*-damaged/)
  const session = await openSession({ dir: DIR, fs: disk })
  t.equal(await readCount(session), 20)
  await session.close()
})

t.test('nobody makes a new identity beside a backup that waits', async (t) => {
  const disk = diskWith({ [RESTORE]: await backupOf(1) })
  await t.rejects(openSession({ dir: DIR, fs: disk }), { code: 'session_damaged' })
})

t.test('any flipped bit or cut: refused, and nothing was changed', async () => {
  const bytes = await backupOf(10)
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), fc.boolean(), async (at, bit, cut) => {
      const broken = cut ? bytes.subarray(0, at) : Buffer.from(bytes)
      if (!cut) broken.writeUInt8(broken.readUInt8(at) ^ (1 << bit), at)
      const disk = diskWith({ [RESTORE]: broken })
      try {
        await recoverSession({ ...ORDER, fs: disk })
      } catch (error) {
        if (!(error instanceof SessionError)) throw error
        const names = (await disk.readDir(DIR)).map(({ name }) => name)
        if (names.join() !== RESTORE) throw new Error(`left ${names.join()}`, { cause: error })
        return
      }
      throw new Error('restored')
    }),
    { numRuns: 300 },
  )
})

t.test('killed or without power at any moment: not there, or whole; asked again it comes to its end', async (t) => {
  const bytes = await backupOf(40)
  let before = 0
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed)
    const disk = diskWith({ [RESTORE]: bytes })
    disk.crashAt(random.below(30), random, random.pick<'power_loss' | 'kill'>(['power_loss', 'kill']))
    const finished = recoverSession({ ...ORDER, fs: disk }).then(() => SimulatedDisk.of(disk.tree()))
    const after = await Promise.race([disk.crashed, finished])
    const names = (await after.readDir(DIR)).map(({ name }) => name)
    if (!names.includes('session.log')) before++
    await recoverSession({ ...ORDER, fs: after })
    const session = await openSession({ dir: DIR, fs: after })
    if ((await readCount(session)) !== 40) t.fail(`seed ${seed}`)
    await session.close()
  }
  t.ok(before > 0 && before < 200, `${before} of 200 had no session yet`)
})
