import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Restores } from '../../../../supervisor/backup/restores.ts'
import { BackupError, type BackupErrorCode } from '../../../../supervisor/backup/target.ts'
import { accountNamed, archiveOf, hostNamed } from '../../../fixtures/firestore.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'
import { MemoryTarget } from '../../../fixtures/memory-target.ts'
import { until } from '../../../fixtures/until.ts'

const RETRY_MS = 60_000
const ids = (count: number): string[] => Array.from({ length: count }, (_, at) => `a${at}`)

/** Restores of accounts that the target knows; `faults`: what reading the archive of an account ends with. */
function world(t: Test, accounts: string[], tree: Parameters<Test['testdir']>[0] = {}) {
  const sessionsPath = t.testdir(tree)
  const clock = new ManualClock()
  const target = new MemoryTarget()
  const faults = new Map<string, BackupErrorCode>()
  const reads: string[] = []
  const onRead: (() => void)[] = []
  for (const accountId of accounts) {
    target.store.accounts.set(accountId, accountNamed(accountId))
    target.store.archives.set(accountId, [archiveOf(1)])
  }
  const awaiting = new Map<string, string>()
  const restored: string[] = []
  const finished: string[] = []
  const removed = new Set<string>()
  const { log, lines } = captureLog()
  const restores = new Restores(
    {
      target,
      openArchive: async (accountId, { sealed }) => {
        reads.push(accountId)
        for (const hook of onRead) hook()
        const fault = faults.get(accountId)
        if (fault !== undefined) throw new BackupError(fault, `${accountId} says ${fault}`)
        return sealed
      },
      claim: async (accountId) => {
        const host = { ...hostNamed('here'), lastSeenMs: clock.nowMs() }
        await target.claim(accountId, host, 3_600_000)
      },
      sessionsPath,
      log,
      clock,
      isRemoved: (accountId) => removed.has(accountId),
      finishRemoval: async (accountId) => void finished.push(accountId),
      retryMs: RETRY_MS,
      fleet: {
        adopt: () => undefined,
        awaitRestore: (accountId, reason) => void awaiting.set(accountId, reason),
        isAwaiting: (accountId) => awaiting.has(accountId),
        restored: (accountId) => {
          awaiting.delete(accountId)
          restored.push(accountId)
        },
      },
    },
    [],
  )
  t.teardown(() => restores.stop())
  const begin = async (): Promise<void> => restores.begin((await restores.list()).map(({ accountId }) => accountId))
  /** A round is over when the next one has its timer, or nobody needs one. */
  const over = (): Promise<unknown> => until('the round to end', () => clock.pending === 1 || awaiting.size === 0)
  const nextRound = async (): Promise<void> => {
    await clock.advanceAsync(RETRY_MS)
    await over()
  }
  return {
    sessionsPath,
    target,
    faults,
    reads,
    onRead,
    awaiting,
    restored,
    finished,
    removed,
    restores,
    lines,
    begin,
    over,
    nextRound,
  }
}

t.test('an account that fails keeps no other waiting, whatever is wrong with it', async (t) => {
  for (const fault of ['failed', 'damaged', 'wrong_key', 'unreachable'] as const) {
    const { faults, restored, awaiting, begin, over, nextRound } = world(t, ids(12))
    for (const id of ids(3)) faults.set(id, fault)
    await begin()
    await over()
    await nextRound()
    t.equal(restored.length, 9, fault)
    t.strictSame([...awaiting.keys()].sort(), ids(3), fault)
  }
})

t.test('a backup that can not be used is looked at once an hour, and one that is mended is taken then', async (t) => {
  const { faults, reads, restored, awaiting, begin, over, nextRound } = world(t, ['a0'])
  faults.set('a0', 'wrong_key')
  await begin()
  await over()
  t.equal(awaiting.get('a0'), 'restore_failed')
  for (let minute = 0; minute < 30; minute++) await nextRound()
  t.equal(reads.length, 1)
  faults.clear()
  for (let minute = 0; minute < 30 && restored.length === 0; minute++) await nextRound()
  t.strictSame(restored, ['a0'])
  t.equal(reads.length, 2)
})

t.test('what was removed does not come back: here before, or on the machine that was lost', async (t) => {
  // There is a session of the third one here.
  const tree = { a2: { 'session.log': 'x' } }
  const { target, finished, removed, restores } = world(t, ids(4), tree)
  removed.add('a0')
  for (const id of ['a1', 'a2']) target.store.accounts.set(id, { ...accountNamed(id), desired: 'removed' })
  t.strictSame(
    (await restores.list()).map(({ accountId }) => accountId),
    ['a3'],
  )
  t.strictSame(finished, ['a1'])
  t.strictSame(await restores.missing(['a0', 'a3']), ['a3'], 'nor when it was added again')
})

t.test('an account that is removed while its backup is read does not come back', async (t) => {
  const { sessionsPath, awaiting, onRead, begin, over, restored, lines } = world(t, ['a0'])
  onRead.push(() => awaiting.delete('a0'))
  await begin()
  await over()
  await until('its end', () => restored.length === 1)
  t.match(lines().at(-1), { event: 'restore.ended', outcome: 'unwanted' })
  t.strictSame(readdirSync(sessionsPath), [])
})

t.test('a directory that can not be read is there: one account keeps no service from starting', async (t) => {
  const { restores } = world(t, [], { a0: 'a file' })
  t.strictSame(await restores.missing(['a0', 'a1']), ['a1'])
})

t.test('what a restore that was killed left behind goes with the next one', async (t) => {
  const tree = { a0: { 'session.restore-1600000000000.tmp': 'half of a session' } }
  const { sessionsPath, restored, begin, over } = world(t, ['a0'], tree)
  await begin()
  await over()
  t.strictSame(restored, ['a0'])
  const names = readdirSync(join(sessionsPath, 'a0')).filter((name) => name.startsWith('session'))
  t.strictSame(names, [`session.restore-${archiveOf(1).savedAtMs}`])
})

t.test('an account of a host that is alive is said once, and asked for as long as it takes', async (t) => {
  const { target, awaiting, restored, lines, begin, over, nextRound } = world(t, ['a0'])
  const other = { ...hostNamed('other'), lastSeenMs: 1_700_000_000_000 }
  target.store.hosts.set(other.hostId, other)
  target.store.heads.set('a0', { hostId: other.hostId, epoch: 3 })
  await begin()
  await over()
  for (let minute = 0; minute < 10; minute++) await nextRound()
  t.equal(awaiting.get('a0'), 'restore_waiting')
  const said = lines().filter(({ event }) => event === 'restore.failed')
  t.equal(said.length, 1)
  t.match(said, [{ accountId: 'a0', code: 'owned_elsewhere', cause: /host "other", seen 0 s ago/ }])
  target.store.hosts.set(other.hostId, { ...other, released: true })
  await nextRound()
  t.strictSame(restored, ['a0'])
})

t.test('what is held is started by nobody, and comes when the rounds begin', async (t) => {
  const { restores, awaiting, reads, restored } = world(t, ['a0'])
  restores.hold(['a0'])
  t.strictSame([...awaiting], [['a0', 'restoring']])
  t.strictSame(reads, [])
  restores.again()
  await until('the restore', () => restored.length === 1)
  t.strictSame(restored, ['a0'])
})
