import type { Firestore } from 'firebase-admin/firestore'
import t from 'tap'
import { captureLog } from '../../../../fixtures/log-lines.ts'
import { archiveOf, FirestoreDouble, hostNamed, pathsIn, targetOn } from '../../../../fixtures/firestore.ts'

const HERE = hostNamed('here')
const LEASE_MS = 300_000
const MB = 1_000_000

async function claimed(options: Parameters<FirestoreDouble['target']>[0] = {}) {
  const double = new FirestoreDouble()
  const db = double.connect()
  const target = targetOn(db, options)
  return { double, db, target, claim: await target.claim('a1', HERE, LEASE_MS) }
}

/** The paths without what every name begins with. */
async function kept(db: Firestore): Promise<string[]> {
  return (await pathsIn(db, 'wa_sessions')).map((path) => path.replace(/^wa_sessions\/[0-9a-f]{32}/, ''))
}

t.test('the last two revisions are kept, and come back as they were', async (t) => {
  const { db, target, claim } = await claimed()
  t.strictSame(await target.listArchives('a1'), [])
  const archives = [1, 2, 3].map((rev) => archiveOf(rev))
  for (const archive of archives) t.equal(await target.writeArchive('a1', claim, archive), 'written')
  const [, second, third] = archives
  const infoOf = (archive: object | undefined) => ({ ...archive, sealed: undefined })
  t.strictSame((await target.listArchives('a1')).map(infoOf), [infoOf(third), infoOf(second)])
  t.strictSame(await target.readArchive('a1', 3), third)
  t.strictSame(await target.readArchive('a1', 2), second)
  await t.rejects(target.readArchive('a1', 1), { name: 'BackupError', code: 'not_found', message: /revision 1 of a1/ })
  await t.rejects(target.readArchive('a2', 1), { code: 'not_found' })
  t.strictSame(await kept(db), ['-a', '-b'])
})

t.test('a late write changes nothing', async (t) => {
  const { target, claim } = await claimed()
  const newest = archiveOf(6)
  await target.writeArchive('a1', claim, archiveOf(5))
  await target.writeArchive('a1', claim, newest)
  for (const rev of [2, 4, 6]) t.equal(await target.writeArchive('a1', claim, archiveOf(rev)), 'superseded', `${rev}`)
  t.strictSame(await target.readArchive('a1', 6), newest)
})

t.test('what one document does not hold goes in parts, and the parts go with their revision', async (t) => {
  const { db, target, claim } = await claimed()
  const large = [1, 2, 3].map((rev) => archiveOf(rev, 2.5 * MB))
  for (const archive of large) t.equal(await target.writeArchive('a1', claim, archive), 'written')
  t.strictSame(await target.readArchive('a1', 3), large[2])
  t.strictSame(await target.readArchive('a1', 2), large[1])
  t.strictSame(
    (await kept(db)).map((path) => path.replace(/[0-9a-f]{16}/, 'X')),
    ['-a', '-b', '-p2-X-0', '-p2-X-1', '-p2-X-2', '-p3-X-0', '-p3-X-1', '-p3-X-2'],
  )
  for (const { ref } of (await db.collection('wa_sessions').get()).docs) {
    const data: unknown = (await ref.get()).get('data')
    t.ok(data === undefined || (Buffer.isBuffer(data) && data.length <= 900 * 1024), ref.path)
  }
  await target.writeArchive('a1', claim, archiveOf(4))
  await target.writeArchive('a1', claim, archiveOf(5))
  t.strictSame(await kept(db), ['-a', '-b'])
})

t.test('a missing part and changed bytes are named as damage', async (t) => {
  const { db, target, claim } = await claimed()
  await target.writeArchive('a1', claim, archiveOf(1, 2.5 * MB))
  const parts = (await db.collection('wa_sessions').where('partOf', '==', claim.name).get()).docs
  const last = parts.at(-1)
  await last?.ref.update({ data: Buffer.alloc(3) })
  await t.rejects(target.readArchive('a1', 1), { code: 'damaged', message: /a1, revision 1, is not what was written/ })
  await last?.ref.delete()
  await t.rejects(target.readArchive('a1', 1), { code: 'damaged', message: /part 3 of 3 is missing/ })
  await target.writeArchive('a1', claim, archiveOf(2))
  const slot = db.doc(`wa_sessions/${claim.name}-a`)
  await slot.update({ data: Buffer.alloc(1000) })
  await t.rejects(target.readArchive('a1', 2), { code: 'damaged', message: /checksum/ })
  await slot.update({ sha256: 3 })
  await t.rejects(target.readArchive('a1', 2), { code: 'damaged', message: /-a is not as it was written/ })
})

t.test('a slot that somebody edited does not hide the other one', async (t) => {
  const { double, db, target, claim } = await claimed()
  await target.writeArchive('a1', claim, archiveOf(1))
  await target.writeArchive('a1', claim, archiveOf(2))
  const { log, lines } = captureLog()
  const reader = double.target({ log })
  await db.doc(`wa_sessions/${claim.name}-a`).update({ rev: 'two' })
  t.strictSame(
    (await reader.listArchives('a1')).map(({ rev }) => rev),
    [1],
  )
  t.match(lines(), [{ event: 'backup.slot_unreadable', accountId: 'a1' }])
  await db.doc(`wa_sessions/${claim.name}-b`).update({ rev: 'one' })
  await t.rejects(reader.listArchives('a1'), { code: 'damaged', message: /Neither of the two/ })
  await db.doc(`wa_sessions/${claim.name}-a`).delete()
  await t.rejects(reader.listArchives('a1'), { code: 'damaged', message: /-b is not as it was written/ })
})

t.test('what a crash between parts and slot left is of no account, and goes with the next write', async (t) => {
  const { double, db, target, claim } = await claimed()
  const good = archiveOf(1, 2.5 * MB)
  await target.writeArchive('a1', claim, good)
  // A process that ends after the second of three parts of revision 2.
  const dying = new DyingAfter(double.connect(), 2)
  await t.rejects(targetOn(dying.db).writeArchive('a1', claim, archiveOf(2, 2.5 * MB)), { code: 'failed' })
  t.equal((await kept(db)).filter((path) => path.startsWith('-p2')).length, 2)
  t.strictSame(await target.readArchive('a1', 1), good)
  t.strictSame(
    (await target.listArchives('a1')).map(({ rev }) => rev),
    [1],
  )

  const next = double.target()
  const claimedAgain = await next.claim('a1', HERE, LEASE_MS)
  const again = archiveOf(2, 2.5 * MB)
  await next.writeArchive('a1', claimedAgain, again)
  t.strictSame(await next.readArchive('a1', 2), again)
  t.equal((await kept(db)).filter((path) => path.startsWith('-p')).length, 6)
})

t.test('a revision that is written twice, sealed anew, stays the first one, whole', async (t) => {
  const { db, target, claim } = await claimed()
  const first = archiveOf(1, 2.5 * MB)
  t.equal(await target.writeArchive('a1', claim, first), 'written')
  t.equal(await target.writeArchive('a1', claim, archiveOf(1, 2.5 * MB)), 'superseded')
  t.strictSame(await target.readArchive('a1', 1), first)
  await target.writeArchive('a1', claim, archiveOf(2))
  t.equal((await kept(db)).filter((path) => path.startsWith('-p')).length, 3, 'and its second parts are gone')
})

t.test('the parts of a host that took over are left alone', async (t) => {
  const { double, db, target, claim } = await claimed()
  await db.doc(`wa_sessions/${claim.name}-p2-feedfeedfeedfeed-0`).set({
    partOf: claim.name,
    epoch: claim.epoch + 1,
    rev: 2,
    sha256: 'feedfeedfeedfeed',
    data: Buffer.alloc(3),
  })
  await target.writeArchive('a1', claim, archiveOf(1))
  t.strictSame(await kept(db), ['-b', '-p2-feedfeedfeedfeed-0'])
  await double.target().deleteAccount('a1', claim)
  t.strictSame(await kept(db), [])
})

t.test('a revision that is replaced while it is read is not damage', async (t) => {
  const { target, claim, db } = await claimed({ largestDataBytes: 1000 })
  await target.writeArchive('a1', claim, archiveOf(1, 3000))
  const meanwhile = new Interrupted(db, /-p1-.*-1$/, () => target.writeArchive('a1', claim, archiveOf(3, 3000)))
  await t.rejects(targetOn(meanwhile.db).readArchive('a1', 1), { code: 'not_found' })
})

/** A connection of which all calls fail once so many documents were set: a process that died there. */
class DyingAfter {
  readonly db: Firestore
  constructor(db: Firestore, sets: number) {
    let left = sets
    this.db = withDoc(db, (_, name) => {
      if (name !== 'set') return undefined
      if (left-- > 0) return undefined
      return () => Promise.reject(new Error('the process died here'))
    })
  }
}

/** Does something else just before a document of that name is read. */
class Interrupted {
  readonly db: Firestore
  constructor(db: Firestore, path: RegExp, before: () => Promise<unknown>) {
    this.db = withDoc(db, (ref, name) =>
      name === 'get' && path.test(ref.path) ? () => before().then(() => ref.get()) : undefined,
    )
  }
}

type Ref = ReturnType<Firestore['doc']>

/** The same connection, some of whose documents answer otherwise. */
function withDoc(
  db: Firestore,
  instead: (ref: Ref, name: string | symbol) => (() => Promise<unknown>) | undefined,
): Firestore {
  return new Proxy(db, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (name !== 'doc') return (value as (...args: unknown[]) => unknown).bind(target)
      return (path: string) => {
        const ref = target.doc(path)
        return new Proxy(ref, {
          get(_, key) {
            const other = instead(ref, key)
            const own: unknown = Reflect.get(ref, key, ref)
            return other ?? (typeof own === 'function' ? (own as (...args: unknown[]) => unknown).bind(ref) : own)
          },
        })
      }
    },
  })
}
