import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { Archives } from '../../../../supervisor/backup/archives.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'
import { until } from '../../../fixtures/until.ts'
import { parseKeyRing } from '../../../../supervisor/backup/seal.ts'

const keyRing = parseKeyRing(randomBytes(32).toString('base64'), [])
const plain = (bytes: Uint8Array, rev = 1) => ({ accountId: 'a1', rev, sessionRevision: 5, savedAtMs: 1000, bytes })

function archivesOf(t: Test, options: Partial<ConstructorParameters<typeof Archives>[0]> = {}): Archives {
  const archives = new Archives({ keyRing, clock: systemClock, ...options })
  t.teardown(() => archives.stop())
  return archives
}
const faulty = (t: Test, options: Partial<ConstructorParameters<typeof Archives>[0]> = {}): Archives =>
  archivesOf(t, { taskUrl: new URL('./fixtures/hanging-task.js', import.meta.url), ...options })

t.test('what is sealed in the thread opens there, many at once', async (t) => {
  const archives = archivesOf(t)
  const sessions = Array.from({ length: 20 }, (_, at) => randomBytes(at * 20_000))
  const sealed = await Promise.all(sessions.map(async (bytes, at) => archives.sealArchive(plain(bytes, at + 1))))
  const opened = await Promise.all(sealed.map(async (archive) => archives.openArchive('a1', archive)))
  for (const [at, bytes] of sessions.entries()) t.ok(opened[at]?.equals(bytes), `session ${at}`)
})

t.test('a refusal keeps its code across the thread', async (t) => {
  const archives = archivesOf(t)
  const archive = await archives.sealArchive(plain(Buffer.from('session')))
  await t.rejects(archives.openArchive('a2', archive), { name: 'BackupError', code: 'damaged' })
  const other = archivesOf(t, { keyRing: parseKeyRing(randomBytes(32).toString('base64'), []) })
  await t.rejects(other.openArchive('a1', archive), { name: 'BackupError', code: 'wrong_key' })
})

t.test('a task that hangs is ended, and the ones behind it are done', async (t) => {
  const clock = new ManualClock()
  const archives = faulty(t, { clock, deadlineMs: 1500 })
  // Memory that the thread shares, or its beginning to hang would not be seen.
  const bytes = new Uint8Array(new SharedArrayBuffer(2))
  const hung = archives.sealArchive(plain(bytes))
  const behind = archives.sealArchive(plain(Buffer.from([9])))
  hung.catch(() => undefined)
  await until('the task to hang', () => bytes[1] === 1)
  clock.advance(1500)
  await t.rejects(hung, { name: 'BackupError', code: 'failed', message: /no result after 1500 ms/ })
  t.ok((await behind).sealed.equals(Buffer.from([1, 2, 3])))
})

t.test('a thread that dies or throws is an error of its task alone', async (t) => {
  const archives = faulty(t)
  await t.rejects(archives.sealArchive(plain(Buffer.from([1]))), { name: 'BackupError', code: 'failed' })
  await t.rejects(archives.sealArchive(plain(Buffer.from([2]))), { name: 'BackupError', message: /as asked/ })
  t.ok((await archives.sealArchive(plain(Buffer.from([9])))).sealed.equals(Buffer.from([1, 2, 3])))
})

t.test('stopping ends what hangs, twice, and refuses what comes later', async (t) => {
  const archives = faulty(t)
  const bytes = new Uint8Array(new SharedArrayBuffer(2))
  const hung = archives.sealArchive(plain(bytes))
  const waiting = archives.sealArchive(plain(Buffer.from([9])))
  const ended = [
    t.rejects(hung, { name: 'BackupError', code: 'failed' }),
    t.rejects(waiting, { name: 'BackupError', code: 'failed' }),
  ]
  await until('the task to hang', () => bytes[1] === 1)
  await archives.stop()
  await archives.stop()
  await Promise.all(ended)
  await t.rejects(archives.sealArchive(plain(Buffer.from([9]))), { name: 'BackupError', message: /stopping/ })
})
