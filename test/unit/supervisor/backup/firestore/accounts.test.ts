import t from 'tap'
import {
  accountNamed,
  archiveOf,
  FirestoreDouble,
  hostNamed,
  pathsIn,
  targetOn,
} from '../../../../fixtures/firestore.ts'
import { captureLog } from '../../../../fixtures/log-lines.ts'

const HERE = hostNamed('here')
const LEASE_MS = 300_000

t.test('accounts come back as they were written last', async (t) => {
  const target = new FirestoreDouble().target()
  t.strictSame(await target.readAccounts(), [])
  const one = accountNamed('a1')
  const other = { ...accountNamed('a2'), phone: null, desired: 'paused' as const, reason: 'paused' }
  await target.writeAccount(one)
  await target.writeAccount(other)
  await target.writeAccount({ ...one, status: 'disconnected', updatedAtMs: one.updatedAtMs + 5 })
  t.strictSame(await target.readAccounts(), [
    { ...one, status: 'disconnected', updatedAtMs: one.updatedAtMs + 5 },
    other,
  ])
})

t.test('a document that somebody edited is left out, and said', async (t) => {
  const double = new FirestoreDouble()
  const { log, lines } = captureLog()
  const db = double.connect()
  const target = targetOn(db, { log })
  await target.writeAccount(accountNamed('a1'))
  await target.writeAccount(accountNamed('a2'))
  await db.doc('wa_accounts/a2').update({ desired: 'sometimes' })
  t.strictSame(
    (await target.readAccounts()).map(({ accountId }) => accountId),
    ['a1'],
  )
  t.match(lines(), [{ event: 'backup.account_unreadable', problem: /wa_accounts\/a2/ }])
})

t.test('deleting takes everything of one account and nothing of another, and may be done again', async (t) => {
  const double = new FirestoreDouble()
  const db = double.connect()
  const target = targetOn(db, { largestDataBytes: 1000 })
  for (const accountId of ['a1', 'a2']) {
    await target.writeAccount(accountNamed(accountId))
    const claim = await target.claim(accountId, HERE, LEASE_MS)
    await target.writeArchive(accountId, claim, archiveOf(1, 3500))
    await target.writeArchive(accountId, claim, archiveOf(2, 100))
  }
  await target.deleteAccount('a1')
  await target.deleteAccount('a1')
  await target.deleteAccount('never there')
  t.strictSame(await pathsIn(db, 'wa_accounts'), ['wa_accounts/a2'])
  t.equal((await pathsIn(db, 'wa_sessions')).length, 3 + 4)
  t.equal((await target.readArchive('a2', 1)).sealedBytes, 3500)
  t.strictSame(await target.listArchives('a1'), [])
  t.match(await target.claim('a1', HERE, LEASE_MS), { epoch: 1, lastRev: 0 })
})

t.test('two fleets with a prefix each share a project', async (t) => {
  const double = new FirestoreDouble()
  const [one, other] = [double.target({ prefix: 'one_' }), double.target({ prefix: 'other_' })]
  await one.writeAccount(accountNamed('a1'))
  await one.writeHost(HERE)
  const claim = await one.claim('a1', HERE, LEASE_MS)
  await one.writeArchive('a1', claim, archiveOf(1))
  t.strictSame(await other.readAccounts(), [])
  t.strictSame(await other.listArchives('a1'), [])
  t.match(await other.claim('a1', hostNamed('there'), LEASE_MS), { epoch: 1 })
  t.strictSame(await pathsIn(double.connect(), 'one_wa_hosts'), ['one_wa_hosts/host-here'])
  t.equal((await pathsIn(double.connect(), 'one_wa_sessions')).length, 2)
})
