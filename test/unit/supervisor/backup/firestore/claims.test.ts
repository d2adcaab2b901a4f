import t from 'tap'
import { archiveOf, FirestoreDouble, hostNamed } from '../../../../fixtures/firestore.ts'

const LEASE_MS = 300_000
const [HERE, THERE] = [hostNamed('here'), hostNamed('there')]

t.test('an account that nobody has is whose it is claimed by; each claim is a new epoch', async (t) => {
  const target = new FirestoreDouble().target()
  const { name } = await target.claim('a1', HERE, LEASE_MS)
  t.strictSame(await target.claim('a1', HERE, LEASE_MS), { hostId: 'host-here', name, epoch: 2, lastRev: 0 })
  const other = await target.claim('a2', THERE, LEASE_MS)
  t.strictSame(other, { hostId: 'host-there', name: other.name, epoch: 1, lastRev: 0 })
  t.not(other.name, name)
})

t.test('a claim says the highest revision that is kept', async (t) => {
  const target = new FirestoreDouble().target()
  const claim = await target.claim('a1', HERE, LEASE_MS)
  for (const rev of [1, 2, 3]) t.equal(await target.writeArchive('a1', claim, archiveOf(rev)), 'written')
  t.match(await target.claim('a1', HERE, LEASE_MS), { lastRev: 3 })
})

t.test('another host that is alive keeps what it has, and is named', async (t) => {
  const double = new FirestoreDouble()
  const target = double.target()
  await target.writeHost(THERE)
  await target.claim('a1', THERE, LEASE_MS)
  double.advance(LEASE_MS - 5000)
  await t.rejects(target.claim('a1', HERE, LEASE_MS), {
    name: 'BackupError',
    code: 'owned_elsewhere',
    message: /a1 .*"there" \(host-there\) since .*seen 29\d s ago/,
  })
  await target.writeHost(THERE)
  double.advance(LEASE_MS - 5000)
  await t.rejects(target.claim('a1', HERE, LEASE_MS), { code: 'owned_elsewhere' })
  t.match(await target.claim('a1', THERE, LEASE_MS), { epoch: 2 })
})

t.test('after the lease, or when it was released, another host takes it over', async (t) => {
  const double = new FirestoreDouble()
  const target = double.target()
  await target.writeHost(THERE)
  await target.claim('a1', THERE, LEASE_MS)
  await target.claim('a2', THERE, LEASE_MS)
  double.advance(LEASE_MS + 1000)
  t.match(await target.claim('a1', HERE, LEASE_MS), { hostId: 'host-here', epoch: 2 })
  await target.writeHost(THERE)
  await t.rejects(target.claim('a2', HERE, LEASE_MS), { code: 'owned_elsewhere' })
  await target.writeHost({ ...THERE, released: true, lastSeenMs: 0 })
  t.match(await target.claim('a2', HERE, LEASE_MS), { hostId: 'host-here', epoch: 2 })
})

t.test('a host that never said it was alive counts from its claim', async (t) => {
  const double = new FirestoreDouble()
  const target = double.target()
  await target.claim('a1', THERE, LEASE_MS)
  await t.rejects(target.claim('a1', HERE, LEASE_MS), { code: 'owned_elsewhere' })
  double.advance(LEASE_MS + 1000)
  t.match(await target.claim('a1', HERE, LEASE_MS), { epoch: 2 })
})

t.test("clocks of hosts do not matter: hours are the server's", async (t) => {
  const target = new FirestoreDouble().target()
  await target.writeHost({ ...THERE, lastSeenMs: 0 })
  await target.claim('a1', THERE, LEASE_MS)
  await t.rejects(target.claim('a1', HERE, LEASE_MS), { code: 'owned_elsewhere' })
})

t.test('of hosts that claim at once one gets it, and the others are told', async (t) => {
  const double = new FirestoreDouble()
  const hosts = ['a', 'b', 'c', 'd'].map((name) => ({ host: hostNamed(name), target: double.target() }))
  for (const { host, target } of hosts) await target.writeHost(host)
  const results = await Promise.allSettled(hosts.map(async ({ host, target }) => target.claim('a1', host, LEASE_MS)))
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const result of results) {
    if (result.status === 'rejected') t.match(result.reason, { name: 'BackupError', code: 'owned_elsewhere' })
  }
})

t.test('who lost the account writes nothing more, and is told to whom', async (t) => {
  const double = new FirestoreDouble()
  const [here, there] = [double.target(), double.target()]
  const old = await there.claim('a1', THERE, LEASE_MS)
  const theirs = archiveOf(1)
  await there.writeArchive('a1', old, theirs)
  double.advance(LEASE_MS + 1000)
  const claim = await here.claim('a1', HERE, LEASE_MS)
  const ours = archiveOf(claim.lastRev + 1)
  await here.writeArchive('a1', claim, ours)
  await t.rejects(there.writeArchive('a1', old, archiveOf(3)), {
    code: 'owned_elsewhere',
    message: /a1 .*"here" \(host-here\)/,
  })
  t.strictSame(
    (await here.listArchives('a1')).map(({ rev }) => rev),
    [2, 1],
  )
  t.ok((await here.readArchive('a1', 2)).sealed.equals(ours.sealed))
})

t.test('a process that was started anew keeps the one before from writing', async (t) => {
  const target = new FirestoreDouble().target()
  const before = await target.claim('a1', HERE, LEASE_MS)
  const now = await target.claim('a1', HERE, LEASE_MS)
  await t.rejects(target.writeArchive('a1', before, archiveOf(1)), { code: 'owned_elsewhere', message: /started anew/ })
  t.equal(await target.writeArchive('a1', now, archiveOf(1)), 'written')
})

t.test("a claim on what was deleted is nobody's", async (t) => {
  const target = new FirestoreDouble().target()
  const claim = await target.claim('a1', HERE, LEASE_MS)
  await target.deleteAccount('a1', claim)
  await t.rejects(target.writeArchive('a1', claim, archiveOf(1)), { code: 'owned_elsewhere', message: /deleted/ })
})
