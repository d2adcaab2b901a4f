import t, { type Test } from 'tap'
import { newAccount, Registry } from '../../../../supervisor/accounts/registry.ts'
import { Backups } from '../../../../supervisor/backup/backups.ts'
import type { SealArchive } from '../../../../supervisor/backup/seal-archive.ts'
import { Removals } from '../../../../supervisor/backup/removals.ts'
import { BackupError } from '../../../../supervisor/backup/target.ts'
import { NEW_CHILD } from '../../../../supervisor/core/child-lifecycle.ts'
import { BACKUP_LIMITS } from '../../../../supervisor/core/backup-state.ts'
import type { SnapshotAnswer } from '../../../../supervisor/fleet/snapshots.ts'
import { recordOf } from '../../../fixtures/http-service.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'
import { memoryStore, MemoryTarget, type MemoryStore } from '../../../fixtures/memory-target.ts'
import { until } from '../../../fixtures/until.ts'

const LIMITS = { ...BACKUP_LIMITS, debounceMs: 5000, intervalMs: 60_000 }
const sealAsItIs: SealArchive = async ({ rev, sessionRevision, savedAtMs, bytes }) => ({
  rev,
  sessionRevision,
  savedAtMs,
  plainBytes: bytes.length,
  sealedBytes: bytes.length,
  keyId: 'none',
  sealed: bytes,
})

interface World {
  backups: Backups
  registry: Registry
  clock: ManualClock
  target: MemoryTarget
  removals: Removals
  lines: ReturnType<typeof captureLog>['lines']
  /** What a worker answers that is asked for its session. */
  session: { answer: SnapshotAnswer }
}

async function world(
  t: Test,
  options: { ids?: string[]; seal?: SealArchive; store?: MemoryStore; host?: string; answer?: SnapshotAnswer } = {},
): Promise<World> {
  const { ids = ['a'], seal = sealAsItIs, store = memoryStore(), host = 'one' } = options
  const clock = new ManualClock()
  const registry = new Registry(clock)
  for (const id of ids) registry.put(newAccount(recordOf(id), NEW_CHILD))
  const target = new MemoryTarget(store)
  const removals = new Removals(t.testdir())
  const { log, lines } = captureLog()
  const backups = new Backups({
    target,
    seal,
    registry,
    clock,
    log,
    random: () => 0.5,
    host: { hostId: host, name: host, version: '1' },
    removals,
    limits: LIMITS,
    leaseMs: 300_000,
  })
  const session = {
    answer: options.answer === undefined ? { revision: 3, bytes: Buffer.from('session of a') } : options.answer,
  }
  backups.start(async () => session.answer)
  t.teardown(() => {
    const finished = backups.finish(clock.monotonicMs())
    backups.giveUp()
    return finished
  })
  await clock.advanceAsync(0)
  return { backups, registry, clock, target, removals, lines, session }
}
const paired = { creds: true, paired: true }

t.test('who has no more patience while workers still flush does not wait for backups after that', async (t) => {
  const { backups, clock } = await world(t, { seal: () => new Promise(() => undefined) })
  backups.changed('a', paired)
  await clock.advanceAsync(10_000)
  backups.beginStop()
  backups.giveUp()
  // The clock stands still: a wait for the deadline would never end.
  t.strictSame(await backups.finish(clock.monotonicMs() + 60_000), ['a'])
})

t.test('claimed, saved, and its document written; then nothing more until something changes', async (t) => {
  const { backups, clock, target } = await world(t)
  backups.changed('a', paired)
  await clock.advanceAsync(10_000)
  t.match(target.store.archives.get('a'), [{ rev: 1, sessionRevision: 3, sealed: Buffer.from('session of a') }])
  t.match(target.store.accounts.get('a'), { name: 'Name of a', desired: 'running', status: 'disconnected' })
  const before = { ...target.calls }
  await clock.advanceAsync(600_000)
  t.strictSame({ ...target.calls, writeHost: 0 }, { ...before, writeHost: 0 })
  t.equal(target.calls['writeHost'], 11, 'but for a sign of life each minute')
})

t.test('a second host: named, and its own backup goes when the first has let go', async (t) => {
  const store = memoryStore()
  const one = await world(t, { store })
  one.backups.changed('a', paired)
  await one.clock.advanceAsync(100)
  const two = await world(t, { store, host: 'two' })
  two.backups.changed('a', paired)
  await two.clock.advanceAsync(100)
  t.match(two.backups.viewOf('a'), { revision: null, pending: true, error: /"one"/ })
  t.equal(two.backups.lastWanted('a'), null, 'its last bytes are not asked for either')
  await two.clock.advanceAsync(180_000)
  t.equal(two.lines().filter(({ event }) => event === 'backup.owned_elsewhere').length, 1, 'said once')
  await one.backups.finish(one.clock.monotonicMs() + 1000)
  await two.clock.advanceAsync(60_000)
  t.match(two.backups.viewOf('a'), { revision: 2, pending: false, error: null })
})

t.test('taken over by another host while it stood still: its late write changes nothing', async (t) => {
  const store = memoryStore()
  const one = await world(t, { store })
  one.backups.changed('a', paired)
  await one.clock.advanceAsync(100)
  store.heads.set('a', { hostId: 'other', epoch: 9 })
  store.hosts.set('other', {
    hostId: 'other',
    name: 'other',
    version: '1',
    lastSeenMs: one.clock.nowMs(),
    released: false,
  })
  one.session.answer = { revision: 9, bytes: Buffer.from('newer') }
  one.backups.changed('a', paired)
  await one.clock.advanceAsync(100)
  t.match(store.archives.get('a'), [{ rev: 1 }])
  t.match(one.backups.viewOf('a'), { revision: 1, pending: true, error: /"other"/ })
})

t.test('a revision as new is there already: claimed anew, and saved above it', async (t) => {
  const { backups, clock, target, session } = await world(t)
  backups.changed('a', paired)
  await clock.advanceAsync(100)
  const [kept] = target.store.archives.get('a') ?? []
  if (kept !== undefined) target.store.archives.set('a', [{ ...kept, rev: 12 }])
  session.answer = { revision: 4, bytes: Buffer.from('newer') }
  backups.changed('a', paired)
  await clock.advanceAsync(100)
  t.match(target.store.archives.get('a'), [{ rev: 13, sealed: Buffer.from('newer') }, { rev: 12 }])
})

t.test('a session that no phone is linked to any more is nothing to wait for', async (t) => {
  const { backups, clock, session, target } = await world(t)
  backups.changed('a', paired)
  await clock.advanceAsync(100)
  session.answer = 'not_linked'
  backups.changed('a', { creds: true, paired: false })
  await clock.advanceAsync(60_000)
  t.match(backups.viewOf('a'), { revision: 1, pending: false, error: null })
  t.equal(backups.health.oldestUnsavedMs, null)
  t.equal(target.store.archives.get('a')?.length, 1)
})

t.test(
  'no answer of a worker, and a sealing that fails or hangs: trouble of the account alone, tried again',
  async (t) => {
    const broken: { seal: SealArchive } = { seal: () => Promise.reject(new BackupError('failed', 'no thread')) }
    const { backups, clock, session } = await world(t, { answer: null, seal: (plain) => broken.seal(plain) })
    const wanted = [/worker does not run/, /no thread/, /Sealing took longer/]
    backups.changed('a', paired)
    await clock.advanceAsync(100)
    t.match(backups.viewOf('a'), { pending: true, error: wanted[0] })
    session.answer = { revision: 3, bytes: Buffer.from('x') }
    await clock.advanceAsync(10_000)
    t.match(backups.viewOf('a'), { error: wanted[1] })
    t.equal(backups.health.state, 'ok', 'whatever class of error says so')
    broken.seal = () => new Promise(() => undefined)
    await clock.advanceAsync(120_000)
    t.match(backups.viewOf('a'), { error: wanted[2] })
    t.equal(backups.health.state, 'ok')
    broken.seal = sealAsItIs
    await clock.advanceAsync(300_000)
    t.match(backups.viewOf('a'), { pending: false, error: null })
  },
)

t.test('what an ended worker left is kept until it is written, and goes where no worker answers', async (t) => {
  const { backups, clock, session, target } = await world(t)
  backups.changed('a', paired)
  await clock.advanceAsync(100)
  t.strictSame(backups.lastWanted('a'), { savedRevision: 3 })
  backups.changed('a', { creds: false, paired: false })
  t.strictSame(backups.lastWanted('a'), { savedRevision: null })
  session.answer = null
  target.fault = 'unreachable'
  backups.left('a', { revision: 8, bytes: Buffer.from('left') })
  await clock.advanceAsync(120_000)
  t.strictSame(backups.load, { accounts: 1, heldBytes: 4 })
  t.equal(backups.health.state, 'degraded')
  target.fault = null
  await clock.advanceAsync(300_000)
  t.match(target.store.archives.get('a')?.[0], { sealed: Buffer.from('left'), sessionRevision: 8 })
  t.strictSame(backups.load, { accounts: 1, heldBytes: 0 })
})

t.test('a removed account that another host has: its backups stay, and the wish is done', async (t) => {
  const store = memoryStore()
  const one = await world(t, { store })
  one.backups.changed('a', paired)
  await one.clock.advanceAsync(100)
  const two = await world(t, { store, host: 'two' })
  await two.backups.noteRemoval('a')
  two.registry.delete('a')
  await until('the wish to be done', async () => {
    await two.clock.advanceAsync(1000)
    return two.removals.all.length === 0
  })
  t.ok(store.archives.has('a'))
  t.equal(two.backups.load.accounts, 0)
})

t.test("removed here, and saved by another host since: what is kept stays that one's", async (t) => {
  const store = memoryStore()
  const one = await world(t, { store })
  one.backups.changed('a', paired)
  await one.clock.advanceAsync(100)
  const [kept] = store.archives.get('a') ?? []
  if (kept === undefined) throw new Error('nothing was saved')
  for (const [laterMs, stays] of [
    [1000, true],
    [-1000, false],
  ] as const) {
    store.archives.set('a', [kept])
    // Its host is not there at the moment.
    store.heads.set('a', { hostId: 'gone', epoch: 1 })
    const two = await world(t, { store, host: 'two', ids: [] })
    await two.removals.add('a', kept.savedAtMs - laterMs)
    two.backups.start(async () => null)
    await until('the note to be done', async () => {
      await two.clock.advanceAsync(1000)
      return two.removals.all.length === 0 && two.backups.load.accounts === 0
    })
    t.equal(store.archives.has('a'), stays)
    t.equal(store.heads.get('a')?.hostId, stays ? 'gone' : undefined)
  }
})

t.test('a restore claims what a backup holds: both are of this host, and the backup goes on at once', async (t) => {
  const { backups, clock, target, lines, session } = await world(t)
  backups.changed('a', paired)
  await clock.advanceAsync(5000)
  await backups.claimForRestore('a')
  session.answer = { revision: 5, bytes: Buffer.from('restored') }
  backups.changed('a', paired)
  await clock.advanceAsync(100)
  t.match(target.store.archives.get('a')?.[0], { sealed: Buffer.from('restored') })
  // And in the middle of a write: that one is refused, and done again under the new claim.
  target.delayMs = 20
  session.answer = { revision: 6, bytes: Buffer.from('again') }
  backups.changed('a', paired)
  await until('the write to be under way', async () => {
    await clock.advanceAsync(0)
    return target.writing === 1
  })
  target.delayMs = 0
  await backups.claimForRestore('a')
  await until('it to be saved', async () => {
    await clock.advanceAsync(100)
    return target.store.archives.get('a')?.[0]?.sessionRevision === 6
  })
  t.match(backups.viewOf('a'), { pending: false, error: null })
  t.strictSame(
    lines().filter(({ event }) => event === 'backup.owned_elsewhere'),
    [],
  )
})

t.test("a document that was refused is written when the account is this host's again", async (t) => {
  const store = memoryStore()
  const { backups, clock, registry } = await world(t, { store })
  backups.changed('a', paired)
  await clock.advanceAsync(10_000)
  const head = store.heads.get('a')
  store.heads.set('a', { hostId: 'other', epoch: 9 })
  store.hosts.set('other', { hostId: 'other', name: 'other', version: '1', lastSeenMs: clock.nowMs(), released: false })
  const account = registry.get('a')
  if (account === undefined || head === undefined) throw new Error('no account')
  registry.put({ ...account, record: { ...account.record, name: 'renamed here' } })
  await clock.advanceAsync(10_000)
  t.match(store.accounts.get('a'), { name: 'Name of a' }, "the other host's document is untouched")
  t.match(backups.viewOf('a'), { error: /"other"/ })
  store.hosts.set('other', { hostId: 'other', name: 'other', version: '1', lastSeenMs: 0, released: true })
  await clock.advanceAsync(70_000)
  t.match(store.accounts.get('a'), { name: 'renamed here' })
})

t.test('a stop with many accounts: eight at once, and those are named for whom there was no time', async (t) => {
  const ids = Array.from({ length: 20 }, (_, index) => `a${index}`)
  const { backups, clock, target, lines } = await world(t, { ids })
  for (const id of ids) backups.changed(id, paired)
  await until('all to be saved', async () => {
    await clock.advanceAsync(1000)
    return target.store.archives.size === ids.length && backups.health.oldestUnsavedMs === null
  })
  t.equal(target.mostWriting, 2)
  target.delayMs = 600_000
  backups.beginStop()
  for (const id of ids) backups.left(id, { revision: 9, bytes: Buffer.from(id) })
  const finished = backups.finish(clock.monotonicMs() + 5000)
  await clock.advanceAsync(5000)
  const notSaved = await finished
  t.equal(notSaved.length, 20)
  t.equal(target.mostWriting, 8)
  const line = lines().find(({ event }) => event === 'backup.not_saved')
  t.match(line, { event: 'backup.not_saved', accounts: { length: 20 } })
  t.ok(target.closed)
  t.notMatch([...target.store.hosts.values()], [{ released: true }], 'what may still land is not let go of')
})
