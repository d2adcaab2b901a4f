/**
 * Whatever happened to a log: a recovery gives a state that the session once had, or refuses; a crash at any moment of it
 * leaves the damaged session or the recovered one.
 */
import { initAuthCreds, type AuthenticationCreds } from '@whiskeysockets/baileys'
import fc from 'fast-check'
import t from 'tap'
import { ManualClock } from '../../../fixtures/manual-clock.ts'
import { messageOf } from '../../../../shared/errors.ts'
import { SessionError } from '../../../../shared/session/session-error.ts'
import { encodeAck } from '../../../../worker/session/ack-mark.ts'
import { PRE_KEY_MARGIN } from '../../../../worker/session/after-rollback.ts'
import { Inbox } from '../../../../worker/core/inbox.ts'
import { serializeCreds } from '../../../../worker/session/creds.ts'
import { inboxData } from '../../../../worker/session/inbox-store.ts'
import { recoverSession } from '../../../../worker/session/recover.ts'
import { openSession } from '../../../../worker/session/session.ts'
import { SimulatedDisk, type DiskTree } from './fixtures/disk.ts'
import { batchOf, readCount, verify } from './fixtures/model.ts'
import { Random } from './fixtures/random.ts'

const DIR = '/sessions/account'
const SESSIONS = '/sessions'
const NOW_MS = Date.UTC(2026, 0, 31, 23, 59, 59)

function linkedCreds(): AuthenticationCreds {
  return {
    ...initAuthCreds(),
    nextPreKeyId: 813,
    firstUnuploadedPreKeyId: 813,
    me: { id: '40700000001:1@s.whatsapp.net' },
    account: { details: Buffer.from('x') },
  }
}

function partOf(tree: DiskTree, ...path: string[]): DiskTree {
  let part = tree
  for (const name of path) {
    const next = part[name]
    if (next === undefined || Buffer.isBuffer(next)) throw new Error(`${name} is no directory`)
    part = next
  }
  return part
}
const fileOf = (tree: DiskTree, name: string): Buffer => {
  const found = tree[name]
  if (!Buffer.isBuffer(found)) throw new Error(`${name} is no file`)
  return found
}

function isSame(a: DiskTree, b: DiskTree): boolean {
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => {
      const [one, other] = [a[name], b[name]]
      if (one === undefined || other === undefined || Buffer.isBuffer(one) !== Buffer.isBuffer(other)) return false
      if (Buffer.isBuffer(one)) return Buffer.isBuffer(other) && one.equals(other)
      return !Buffer.isBuffer(other) && isSame(one, other)
    })
  )
}

/** A session of so many batches, closed; `slackBytes` decides how often it was compacted. */
async function written(batches: number, slackBytes: number): Promise<DiskTree> {
  const disk = SimulatedDisk.of({ sessions: { account: { 'creds.json': serializeCreds(linkedCreds()) } } })
  const session = await openSession({
    dir: DIR,
    fs: disk,
    compaction: { factor: 1, slackBytes },
    clock: new ManualClock({ epochOffsetMs: NOW_MS }),
  })
  for (let number = 1; number <= batches; number++) {
    await session.authState.keys.set({ 'lid-mapping': batchOf(number) })
    if (number % 7 === 0) {
      session.authState.creds.nextPreKeyId += 5
      await session.saveCreds()
    }
  }
  await session.close()
  return disk.tree()
}

async function batchesAfterRecovery(tree: DiskTree): Promise<number> {
  const disk = SimulatedDisk.of(tree)
  await recoverSession({ sessionsPath: SESSIONS, accountId: 'account', from: 'readable', nowMs: NOW_MS, fs: disk })
  const session = await openSession({ dir: DIR, fs: disk })
  const count = await readCount(session)
  await session.close()
  return count
}

type Damage =
  | { kind: 'flip'; at: number; bits: number }
  | { kind: 'zero'; at: number; length: number }
  | { kind: 'cut'; at: number }
  | { kind: 'take_out'; at: number; length: number }
  | { kind: 'insert'; at: number; length: number }

/** `at` is in ten thousandths of the file, so that shrinking keeps its meaning. */
/** Not biased: a double of fast-check is mostly next to 0, and the header is but 40 bytes. */
const AT = fc.noBias(fc.integer({ min: 0, max: 9999 }))
const DAMAGE: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({
    kind: fc.constant('flip' as const),
    at: AT,
    bits: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({
    kind: fc.constant('zero' as const),
    at: AT,
    length: fc.integer({ min: 1, max: 3000 }),
  }),
  fc.record({ kind: fc.constant('cut' as const), at: AT }),
  fc.record({
    kind: fc.constant('take_out' as const),
    at: AT,
    length: fc.integer({ min: 1, max: 3000 }),
  }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: AT,
    length: fc.integer({ min: 1, max: 3000 }),
  }),
)

function damaged(bytes: Buffer, damage: Damage): Buffer {
  const at = Math.floor((damage.at / 10_000) * bytes.length)
  switch (damage.kind) {
    case 'flip': {
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ damage.bits
      return flipped
    }
    case 'zero':
      return Buffer.from(bytes).fill(0, at, Math.min(bytes.length, at + damage.length))
    case 'cut':
      return bytes.subarray(0, at)
    case 'take_out':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + damage.length))])
    case 'insert': {
      // The log's own bytes once more: records of the right salt in the wrong place.
      const copied = bytes.subarray(0, Math.min(bytes.length, damage.length))
      return Buffer.concat([bytes.subarray(0, at), copied, bytes.subarray(at)])
    }
    default:
      return damage satisfies never
  }
}

t.test('any damage, either way: a state that once was, or a refusal that changes nothing', async (t) => {
  const outcomes = new Map<string, number>()
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 2000, max: 60_000 }),
    fc.array(DAMAGE, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('readable' as const, 'previous' as const),
    async (batches, slackBytes, damages, from) => {
      const tree = await written(batches, slackBytes)
      const account = partOf(tree, 'sessions', 'account')
      const log = damages.reduce(damaged, fileOf(account, 'session.log'))
      account['session.log'] = log
      const disk = SimulatedDisk.of(tree)
      const refused = await openSession({ dir: DIR, fs: SimulatedDisk.of(tree) }).then(
        (session) => session.close().then(() => undefined),
        (error: unknown) => error,
      )
      const result = await recoverSession({
        sessionsPath: SESSIONS,
        accountId: 'account',
        from,
        nowMs: NOW_MS,
        fs: disk,
      }).catch((error: unknown) => {
        if (error instanceof SessionError && ['recovery_refused', 'session_version'].includes(error.code))
          return error.code
        throw error
      })
      const after = disk.tree()
      const outcome = typeof result === 'string' ? 'refused' : result === undefined ? 'was whole' : from
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (result === undefined || typeof result === 'string') {
        if (result === undefined && refused !== undefined)
          throw new Error(`left alone, and does not open: ${messageOf(refused)}`)
        if (!fileOf(partOf(after, 'sessions', 'account'), 'session.log').equals(log)) throw new Error('it was changed')
        return
      }
      if (refused === undefined) throw new Error('it was whole')
      const aside = partOf(after, 'sessions', '.set-aside', 'account-2026-01-31T23-59-59Z-damaged')
      if (!isSame(aside, account)) throw new Error('it was not kept as it was')
      const session = await openSession({ dir: DIR, fs: disk })
      const { count, problem } = await verify(session, 0, batches)
      if (problem !== undefined) throw new Error(problem)
      if (from === 'readable' && count > batches) throw new Error('more than there was')
      const { creds } = session.authState
      const handedOut = 813 + 5 * Math.floor(batches / 7)
      if (creds.nextPreKeyId < handedOut + PRE_KEY_MARGIN) throw new Error(`prekey ${creds.nextPreKeyId} again`)
      if (creds.firstUnuploadedPreKeyId !== creds.nextPreKeyId) throw new Error('prekeys that are not there')
      if (session.recovery?.atMs !== NOW_MS || session.recovery.from !== from) throw new Error('it does not say so')
      await session.close()
      // Once more is no more: the session is whole now.
      const again = await recoverSession({
        sessionsPath: SESSIONS,
        accountId: 'account',
        from,
        nowMs: NOW_MS,
        fs: disk,
      })
      if (again !== undefined) throw new Error('done twice')
    },
  )
  await fc.assert(property, { numRuns: 300 })
  for (const [outcome, count] of outcomes) t.comment(`${outcome}: ${count}`)
  for (const outcome of ['refused', 'readable', 'previous']) t.ok((outcomes.get(outcome) ?? 0) > 5, outcome)
})

t.test(
  'killed or without power at any moment: damaged as it was, or recovered; the copy is whole or no session',
  async (t) => {
    const tree = await written(40, 8000)
    const account = partOf(tree, 'sessions', 'account')
    const log = fileOf(account, 'session.log')
    account['session.log'] = log.subarray(0, log.length - 10)
    const batches = await batchesAfterRecovery(tree)
    let recovered = 0
    for (let seed = 0; seed < 300; seed++) {
      const random = new Random(seed)
      const disk = SimulatedDisk.of(tree)
      disk.crashAt(random.below(60), random, random.pick<'power_loss' | 'kill'>(['power_loss', 'kill']))
      const options = { sessionsPath: SESSIONS, accountId: 'account', from: 'readable', nowMs: NOW_MS } as const
      // One that came to its end before the crash: the same content on a disk that does not crash.
      const finished = recoverSession({ ...options, fs: disk }).then(() => SimulatedDisk.of(disk.tree()))
      const after = await Promise.race([disk.crashed, finished])
      const left = after.tree()
      const names = Object.keys(left['sessions'] === undefined ? {} : partOf(left, 'sessions')).includes('.set-aside')
        ? Object.keys(partOf(left, 'sessions', '.set-aside'))
        : []
      for (const name of names.filter((name) => !name.startsWith('.'))) {
        const aside = partOf(left, 'sessions', '.set-aside', name)
        if (!isSame(aside, account)) t.fail(`seed ${seed}: it was not kept as it was`)
      }
      const wasDamaged = fileOf(partOf(left, 'sessions', 'account'), 'session.log').equals(
        fileOf(account, 'session.log'),
      )
      if (!wasDamaged) recovered++
      if (!wasDamaged && names.every((name) => name.startsWith('.'))) t.fail(`seed ${seed}: recovered without a copy`)
      // Asked again, it comes to its end from wherever it was.
      await recoverSession({ ...options, fs: after })
      const session = await openSession({ dir: DIR, fs: after })
      t.equal(await readCount(session), batches, `seed ${seed}`)
      await session.close()
    }
    t.ok(recovered > 0 && recovered < 300, `${recovered} of 300 had come to their end`)
  },
)

t.test('an identity that was never linked, or is not that of creds.json, is not worth going back to', async (t) => {
  const unlinked = SimulatedDisk.of({ sessions: { account: {} } })
  await (await openSession({ dir: DIR, fs: unlinked })).close()
  const other = await written(3, 60_000)
  const cases: [RegExp, DiskTree][] = [
    [/ends before a phone was linked/, unlinked.tree()],
    [/two identities/, other],
  ]
  partOf(other, 'sessions', 'account')['creds.json'] = serializeCreds(linkedCreds())
  for (const [why, tree] of cases) {
    const account = partOf(tree, 'sessions', 'account')
    // Records that were acknowledged are gone: the log is damaged.
    account['session.ack'] = encodeAck(999)
    const disk = SimulatedDisk.of(tree)
    await t.rejects(
      recoverSession({ sessionsPath: SESSIONS, accountId: 'account', from: 'readable', nowMs: NOW_MS, fs: disk }),
      { code: 'recovery_refused', message: why },
    )
    t.notOk('.set-aside' in partOf(disk.tree(), 'sessions'), 'nothing was changed')
  }
})

t.test('the inbox begins anew: numbers used since the state would name other messages', async (t) => {
  const disk = SimulatedDisk.of({ sessions: { account: { 'creds.json': serializeCreds(linkedCreds()) } } })
  const session = await openSession({ dir: DIR, fs: disk, clock: new ManualClock({ epochOffsetMs: NOW_MS }) })
  const inbox = new Inbox('one', session.inbox)
  await session.authState.keys.set(inboxData(inbox.add('stanza', 'ID', NOW_MS)))
  for (let number = 1; number <= 3; number++) await session.authState.keys.set({ 'lid-mapping': batchOf(number) })
  await session.close()
  const tree = disk.tree()
  const log = fileOf(partOf(tree, 'sessions', 'account'), 'session.log')
  log.writeUInt8(log.readUInt8(log.length - 1) ^ 1, log.length - 1)
  const damaged = SimulatedDisk.of(tree)
  const done = await recoverSession({
    sessionsPath: SESSIONS,
    accountId: 'account',
    from: 'readable',
    nowMs: NOW_MS,
    fs: damaged,
  })
  t.equal(done?.recovery.recordsLost, 1)
  const recovered = await openSession({ dir: DIR, fs: damaged })
  t.equal(await readCount(recovered), 2)
  t.same(recovered.inbox, [])
  await recovered.close()
})
