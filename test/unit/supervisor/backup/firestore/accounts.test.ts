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
  const claim = await target.claim('a1', HERE, LEASE_MS)
  await target.writeAccount(one, claim)
  await target.writeAccount(other, await target.claim('a2', HERE, LEASE_MS))
  await target.writeAccount({ ...one, status: 'disconnected', updatedAtMs: one.updatedAtMs + 5 }, claim)
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
  for (const id of ['a1', 'a2']) await target.writeAccount(accountNamed(id), await target.claim(id, HERE, LEASE_MS))
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
    const claim = await target.claim(accountId, HERE, LEASE_MS)
    await target.writeAccount(accountNamed(accountId), claim)
    await target.writeArchive(accountId, claim, archiveOf(1, 3500))
    await target.writeArchive(accountId, claim, archiveOf(2, 100))
  }
  const claim = await target.claim('a1', HERE, LEASE_MS)
  await target.deleteAccount('a1', claim)
  await target.deleteAccount('a1', claim)
  t.strictSame(await pathsIn(db, 'wa_accounts'), ['wa_accounts/a2'])
  t.strictSame(await pathsIn(db, 'wa_owners'), ['wa_owners/a2'])
  t.equal((await pathsIn(db, 'wa_sessions')).length, 2 + 4)
  t.equal((await target.readArchive('a2', 1)).sealedBytes, 3500)
  t.strictSame(await target.listArchives('a1'), [])
  const anew = await target.claim('a1', HERE, LEASE_MS)
  t.match(anew, { epoch: 1, lastRev: 0 })
  t.not(anew.name, claim.name, 'under another name: what the old claim still writes is refused')
})

t.test('a deletion that broke off is found and done again', async (t) => {
  const double = new FirestoreDouble()
  const db = double.connect()
  const target = targetOn(db, { largestDataBytes: 1000 })
  const claim = await target.claim('a1', HERE, LEASE_MS)
  await target.writeAccount(accountNamed('a1'), claim)
  await target.writeArchive('a1', claim, archiveOf(1, 3500))
  let left = 1
  const dying = new Proxy(db, {
    get(real, name) {
      if (name === 'batch' && left-- > 0) throw new Error('the process died here')
      const value: unknown = Reflect.get(real, name, real)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(real) : value
    },
  })
  await t.rejects(targetOn(dying).deleteAccount('a1', claim), { code: 'failed' })
  t.equal((await pathsIn(db, 'wa_sessions')).length, 4, 'its parts are left')
  const again = double.target()
  await again.deleteAccount('a1', await again.claim('a1', HERE, LEASE_MS))
  for (const collection of ['wa_accounts', 'wa_owners', 'wa_sessions']) {
    t.strictSame(await pathsIn(db, collection), [], collection)
  }
})

t.test('who lost the account neither writes its document nor deletes anything of it', async (t) => {
  const double = new FirestoreDouble()
  const db = double.connect()
  const [here, there] = [double.target(), double.target()]
  const old = await there.claim('a1', hostNamed('there'), LEASE_MS)
  await there.writeAccount({ ...accountNamed('a1'), name: 'OLD' }, old)
  double.advance(LEASE_MS + 1000)
  const claim = await here.claim('a1', HERE, LEASE_MS)
  await here.writeAccount({ ...accountNamed('a1'), name: 'NEW' }, claim)
  await here.writeArchive('a1', claim, archiveOf(1))
  const isRefusal = { code: 'owned_elsewhere', message: /"here"/ }
  await t.rejects(there.writeAccount({ ...accountNamed('a1'), name: 'OLD' }, old), isRefusal)
  await t.rejects(there.deleteAccount('a1', old), isRefusal)
  t.match(await here.readAccounts(), [{ name: 'NEW' }])
  t.equal((await here.listArchives('a1')).length, 1)
  // Deleted by who has it: a write of before does not bring it back.
  await here.deleteAccount('a1', claim)
  await t.rejects(here.writeAccount(accountNamed('a1'), claim), { code: 'owned_elsewhere', message: /deleted/ })
  t.strictSame(await pathsIn(db, 'wa_accounts'), [])
})

t.test('a head that somebody deleted is made again, and the backups are found', async (t) => {
  const double = new FirestoreDouble()
  const db = double.connect()
  const target = targetOn(db)
  const claim = await target.claim('a1', HERE, LEASE_MS)
  await target.writeAccount(accountNamed('a1'), claim)
  await target.writeArchive('a1', claim, archiveOf(7))
  await db.doc('wa_owners/a1').delete()
  t.match(await target.listArchives('a1'), [{ rev: 7 }])
  t.match(await target.readArchive('a1', 7), { rev: 7 })
  t.match(await target.claim('a1', HERE, LEASE_MS), { name: claim.name, epoch: 1, lastRev: 7 })
})

t.test('names in wa_sessions are random: whoever knows the account can not make them', async (t) => {
  const names = []
  for (let fleet = 0; fleet < 2; fleet++) {
    const double = new FirestoreDouble()
    const target = double.target()
    const claim = await target.claim('a1', HERE, LEASE_MS)
    await target.writeArchive('a1', claim, archiveOf(1))
    names.push(...(await pathsIn(double.connect(), 'wa_sessions')))
  }
  for (const name of names) t.match(name, /^wa_sessions\/[0-9a-f]{32}-b$/)
  t.not(names[0], names[1])
})

t.test('two fleets with a prefix each share a project', async (t) => {
  const double = new FirestoreDouble()
  const [one, other] = [double.target({ prefix: 'one_' }), double.target({ prefix: 'other_' })]
  await one.writeHost(HERE)
  const claim = await one.claim('a1', HERE, LEASE_MS)
  await one.writeAccount(accountNamed('a1'), claim)
  await one.writeArchive('a1', claim, archiveOf(1))
  t.strictSame(await other.readAccounts(), [])
  t.strictSame(await other.listArchives('a1'), [])
  t.match(await other.claim('a1', hostNamed('there'), LEASE_MS), { epoch: 1 })
  t.strictSame(await pathsIn(double.connect(), 'one_wa_hosts'), ['one_wa_hosts/host-here'])
  t.equal((await pathsIn(double.connect(), 'one_wa_sessions')).length, 1)
})
