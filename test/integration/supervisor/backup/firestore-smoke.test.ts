/**
 * Against a real project, when there is one: set FIRESTORE_SMOKE_PROJECT_ID and GOOGLE_APPLICATION_CREDENTIALS. It writes
 * about 20 documents under a prefix of its own and deletes them. What the doubles can not show shows here: credentials,
 * permissions, indexes, limits, and transactions as Firestore itself has them.
 */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { createLog } from '../../../../shared/log.ts'
import { createFirestoreTarget } from '../../../../supervisor/backup/firestore/connect.ts'
import { openArchive, parseKeyRing, sealArchive } from '../../../../supervisor/backup/seal.ts'
import { accountNamed, archiveOf, hostNamed } from '../../../fixtures/firestore.ts'

const LEASE_MS = 300_000
const { FIRESTORE_SMOKE_PROJECT_ID: projectId, GOOGLE_APPLICATION_CREDENTIALS: credentialsPath } = process.env
const skip =
  projectId && credentialsPath
    ? false
    : 'no real project: set FIRESTORE_SMOKE_PROJECT_ID and GOOGLE_APPLICATION_CREDENTIALS to run it'

t.test('a real project keeps, fences and gives back what it is given', { skip }, async (t) => {
  if (!projectId || !credentialsPath) throw new Error('skipped above')
  const prefix = `smoke_${randomBytes(6).toString('hex')}_`
  const connect = () =>
    createFirestoreTarget({ projectId, credentialsPath, prefix, clock: systemClock, log: createLog('silent') })
  const [one, other] = await Promise.all([connect(), connect()])
  const [here, there] = [hostNamed('here'), hostNamed('there')]
  const accounts = ['smoke_1', 'smoke_2'].map(accountNamed)
  t.teardown(async () => {
    for (const { accountId } of accounts) {
      await one.deleteAccount(accountId, await one.claim(accountId, here, 0))
    }
    await one.deleteHost(here.hostId)
    await one.deleteHost(there.hostId)
    await Promise.all([one.close(), other.close()])
  })

  await one.writeHost(here)
  await one.writeHost({ ...here, lastSeenMs: here.lastSeenMs + 1 })
  const [written] = accounts
  if (written === undefined) return
  const claim = await one.claim('smoke_1', here, LEASE_MS)
  await one.writeAccount(written, claim)
  t.strictSame(await other.readAccounts(), [written])

  const ring = parseKeyRing(randomBytes(32).toString('base64'), [])
  const log = randomBytes(2_500_000)
  for (const rev of [1, 2, 3]) {
    const plain = { accountId: 'smoke_1', rev, sessionRevision: rev, savedAtMs: Date.now(), bytes: log }
    t.equal(await one.writeArchive('smoke_1', claim, sealArchive(ring, plain)), 'written')
  }
  t.equal(await one.writeArchive('smoke_1', claim, archiveOf(1)), 'superseded')
  t.match(await other.listArchives('smoke_1'), [{ rev: 3 }, { rev: 2 }])
  for (const rev of [3, 2]) {
    t.ok(openArchive(ring, 'smoke_1', await other.readArchive('smoke_1', rev)).equals(log), `revision ${rev}`)
  }

  await t.rejects(other.claim('smoke_1', there, LEASE_MS), { code: 'owned_elsewhere', message: /"here"/ })
  t.match(await other.claim('smoke_1', there, 0), { epoch: 2, lastRev: 3 })
  await t.rejects(one.writeArchive('smoke_1', claim, archiveOf(4)), { code: 'owned_elsewhere', message: /"there"/ })

  const raced = await Promise.allSettled([
    one.claim('smoke_2', here, LEASE_MS),
    other.claim('smoke_2', there, LEASE_MS),
  ])
  t.equal(raced.filter(({ status }) => status === 'fulfilled').length, 1, 'of two claims at once one is had')
})
