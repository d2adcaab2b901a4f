/** Writes and syncs that fail, injected and on a really full disk. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { createLog } from '../../../../shared/log.ts'
import { leftOutWithout } from '../../../fixtures/machine-tools.ts'
import { nodeFs, type SessionFile, type SessionFs } from '../../../../shared/session/session-fs.ts'
import { HeldSession } from '../../../../worker/held-session.ts'
import { openSession } from '../../../../worker/session/session.ts'
import { batchOf, verify } from '../../../unit/worker/session/fixtures/model.ts'

interface Faults {
  /** Errno of the next calls, or undefined to pass them on. Only the log's own file is concerned. */
  write?: string
  /** Bytes written before the write fails. */
  writtenBytes?: number
  datasync?: string
  read?: string
  rename?: string
}

function faulty(faults: Faults): SessionFs {
  const fail = (code: string): never => {
    throw Object.assign(new Error(`${code}: injected`), { code })
  }
  const wrap = (file: SessionFile): SessionFile => ({
    ...file,
    write: async (source, position) => {
      if (faults.write === undefined) return file.write(source, position)
      if (faults.writtenBytes !== undefined) await file.write(source.subarray(0, faults.writtenBytes), position)
      return fail(faults.write)
    },
    datasync: async () => (faults.datasync === undefined ? file.datasync() : fail(faults.datasync)),
    read: async (target, position) => (faults.read === undefined ? file.read(target, position) : fail(faults.read)),
  })
  return {
    ...nodeFs,
    open: async (path, how) => {
      const file = await nodeFs.open(path, how)
      return path.includes('session.log') ? wrap(file) : file
    },
    rename: async (from, to) =>
      faults.rename !== undefined && to.endsWith('session.log') ? fail(faults.rename) : nodeFs.rename(from, to),
  }
}

const CASES: [string, Faults, string, string][] = [
  ['ENOSPC in the middle of a record', { write: 'ENOSPC', writtenBytes: 30 }, 'storage_full', 'ENOSPC'],
  ['EDQUOT', { write: 'EDQUOT' }, 'storage_full', 'EDQUOT'],
  ['EIO of a write', { write: 'EIO' }, 'storage_failed', 'EIO'],
  ['EIO of a sync', { datasync: 'EIO' }, 'storage_failed', 'EIO'],
]

for (const [name, fault, code, errno] of CASES) {
  t.test(`${name}: nothing more is acknowledged, nothing acknowledged is lost`, async (t) => {
    const dir = t.testdir({})
    const faults: Faults = {}
    const session = await openSession({ dir, fs: faulty(faults) })
    for (let number = 1; number <= 20; number++) await session.authState.keys.set({ 'lid-mapping': batchOf(number) })
    Object.assign(faults, fault)
    const pending = [21, 22].map((number) =>
      Promise.resolve(session.authState.keys.set({ 'lid-mapping': batchOf(number) })),
    )
    for (const promise of pending) await t.rejects(promise, { code, details: { errno } })
    const failed = await session.failed
    t.match(failed, { code, details: { errno } })
    // The disk works again, this process does not: a page whose sync failed may be marked clean.
    for (const key of Object.keys(fault)) delete faults[key as keyof Faults]
    await t.rejects(Promise.resolve(session.authState.keys.set({ 'lid-mapping': { late: '1' } })), { code })
    await t.rejects(session.saveCreds(), { code })
    await t.rejects(session.flush(), { code })
    t.equal((await verify(session, 20, 20)).problem, undefined, 'what was acknowledged is still read')
    await session.close()
    const again = await openSession({ dir })
    t.equal((await verify(again, 20, 22)).problem, undefined)
    t.same(await again.authState.keys.get('lid-mapping', ['late']), { late: null })
    await again.close()
  })
}

t.test('a failed read fails the session: Baileys would take it for "no such key"', async (t) => {
  const dir = t.testdir({})
  const faults: Faults = {}
  // What a session has written itself it may have in memory: this one finds it on the disk.
  const before = await openSession({ dir })
  await before.authState.keys.set({ 'lid-mapping': { a: '1' } })
  await before.close()
  const session = await openSession({ dir, fs: faulty(faults) })
  faults.read = 'EIO'
  await t.rejects(Promise.resolve(session.authState.keys.get('lid-mapping', ['a'])), { code: 'storage_failed' })
  t.match(await session.failed, { details: { errno: 'EIO' } })
  await session.close()
})

t.test('a compaction without room is put off, and the session goes on', async (t) => {
  const dir = t.testdir({})
  const faults: Faults = {}
  const events: string[] = []
  const base = faulty(faults)
  let room = false
  const fs: SessionFs = {
    ...base,
    open: async (path, how) => {
      if (path.endsWith('session.log.tmp') && !room) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      return base.open(path, how)
    },
  }
  room = true
  const session = await openSession({
    dir,
    fs,
    compaction: { factor: 1, slackBytes: 5000 },
    log: (event) => events.push(event),
  })
  room = false
  for (let number = 1; number <= 60; number++) await session.authState.keys.set({ 'lid-mapping': batchOf(number) })
  t.ok(events.includes('session.compaction_put_off'))
  t.notOk(events.includes('session.compacted'))
  room = true
  for (let number = 61; number <= 120; number++) await session.authState.keys.set({ 'lid-mapping': batchOf(number) })
  t.ok(events.includes('session.compacted'))
  t.equal((await verify(session, 120, 120)).problem, undefined)
  faults.rename = 'EIO'
  const writes = Array.from({ length: 60 }, (_, at) =>
    Promise.resolve(session.authState.keys.set({ 'lid-mapping': batchOf(121 + at) })),
  )
  await Promise.allSettled([...writes, session.flush()])
  let count = 181
  while (
    await Promise.resolve(session.authState.keys.set({ 'lid-mapping': batchOf(count) })).then(
      () => true,
      () => false,
    )
  )
    count++
  t.match(await session.failed, { code: 'storage_failed' }, 'from the rename on, a failure ends it')
  await session.close()
  const again = await openSession({ dir })
  t.equal((await verify(again, count - 1, count)).problem, undefined)
  await again.close()
})

t.test('a disk that is really full', { skip: leftOutWithout('root') }, async (t) => {
  // Not a testdir: that is removed before it could be unmounted.
  const volume = mkdtempSync(join(tmpdir(), 'session-volume-'))
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', volume])
  t.teardown(() => {
    if (mounted.status === 0) spawnSync('umount', [volume])
    rmdirSync(volume)
  })
  if (mounted.status !== 0) {
    t.comment('mount refused here')
    return
  }
  const dir = join(volume, 'account')
  const ballast = join(volume, 'ballast')
  writeFileSync(ballast, Buffer.alloc(200 * 1024))
  let acknowledged = 0
  const session = await openSession({ dir })
  const write = async (): Promise<never> => {
    for (;;) {
      await session.authState.keys.set({ 'lid-mapping': batchOf(acknowledged + 1) })
      acknowledged += 1
    }
  }
  await t.rejects(write(), { code: 'storage_full', details: { errno: 'ENOSPC' } })
  t.match(await session.failed, { code: 'storage_full' })
  await session.close()
  t.ok(acknowledged > 50, `${acknowledged} batches fitted`)
  // Still full: it opens, and reads.
  const full = await openSession({ dir })
  t.equal((await verify(full, acknowledged, acknowledged + 1)).problem, undefined)
  await full.close()
  rmSync(ballast)
  const again = await openSession({ dir })
  const { count, problem } = await verify(again, acknowledged, acknowledged + 1)
  t.equal(problem, undefined)
  await again.authState.keys.set({ 'lid-mapping': batchOf(count + 1) })
  await again.close()
})

t.test('a write that fails on the way to the end is told by the close: no such end is a clean one', async (t) => {
  const faults: Faults = {}
  const held = new HeldSession({
    start: { sessionsPath: t.testdir({}), accountId: 'a', recover: null, backup: false },
    clock: systemClock,
    log: createLog('silent'),
    fs: faulty(faults),
    send: async () => undefined,
    onOpened: () => undefined,
    onCommit: () => undefined,
    onMessage: () => undefined,
    onFailed: () => undefined,
  })
  await held.take()
  faults.write = 'ENOSPC'
  void Promise.resolve(held.session?.authState.keys.set({ 'lid-mapping': batchOf(1) })).catch(() => undefined)
  await t.rejects(held.close(), { code: 'storage_full' })
  await held.release()
})
