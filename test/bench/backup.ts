/**
 * What a backup costs: `npm run bench -- backup`. Sessions as the session store holds them, fresh (812 pre-keys, 5 peers)
 * and used (200 peers, 20 groups), are sealed and written to the in-process Firestore, which counts what is billed.
 * Prints one JSON object: bytes, documents, reads and writes of one backup, and the CPU of making it. The keys and records
 * are random bytes in the shapes and sizes of real ones: they compress a little worse.
 */
import { randomBytes } from 'node:crypto'
import type { DocumentReference, DocumentSnapshot, Firestore } from 'firebase-admin/firestore'
import { openArchive, parseKeyRing, sealArchive } from '../../supervisor/backup/seal.ts'
import type { SealedArchive } from '../../supervisor/backup/target.ts'
import { FirestoreDouble, hostNamed, accountNamed } from '../fixtures/firestore.ts'
import { logOf, type SESSIONS } from './session-log.ts'

const ROUNDS = 20
const LEASE_MS = 300_000
const RING = parseKeyRing(randomBytes(32).toString('base64'), [])

/** Of `work`, ms of CPU, the mean of some rounds; the first ones only warm up. */
function cpuMs(work: () => void): number {
  for (let round = 0; round < 3; round++) work()
  const before = process.cpuUsage()
  for (let round = 0; round < ROUNDS; round++) work()
  const { user, system } = process.cpuUsage(before)
  return Math.round((user + system) / 10 / ROUNDS) / 100
}

async function measure(kind: keyof typeof SESSIONS): Promise<object> {
  const bytes = await logOf(kind)
  const plain = (rev: number) => ({ accountId: 'a1', rev, sessionRevision: rev, savedAtMs: 1_700_000_000_000, bytes })
  const archive = sealArchive(RING, plain(1))

  const double = new FirestoreDouble()
  const { db, readInTransactions } = countingTransactions(double.connect())
  const target = double.target({}, db)
  const counted = async (work: () => Promise<unknown>): Promise<object> => {
    const before = { ...double.billed(), twice: readInTransactions() }
    await work()
    const after = { ...double.billed(), twice: readInTransactions() }
    return {
      reads: after.reads - before.reads - (after.twice - before.twice),
      writes: after.writes - before.writes,
      deletes: after.deletes - before.deletes,
    }
  }
  let claim = { hostId: '', name: '', epoch: 0, lastRev: 0 }
  const writeRev = (rev: number) => () => target.writeArchive('a1', claim, sealArchive(RING, plain(rev)))
  const billed = {
    claim: await counted(async () => (claim = await target.claim('a1', hostNamed('here'), LEASE_MS))),
    firstBackup: await counted(writeRev(1)),
    secondBackup: await counted(writeRev(2)),
    backup: await counted(writeRev(3)),
    account: await counted(() => target.writeAccount(accountNamed('a1'), claim)),
    host: await counted(() => target.writeHost(hostNamed('here'))),
    list: await counted(() => target.listArchives('a1')),
    restore: await counted(() => target.readArchive('a1', 3)),
  }
  const documents = double.billed().documents
  await target.close()
  return {
    plainBytes: archive.plainBytes,
    sealedBytes: archive.sealedBytes,
    sealCpuMs: cpuMs(() => void sealArchive(RING, plain(1))),
    openCpuMs: cpuMs(() => void openAgain(archive)),
    documents,
    billed,
  }
}

/** The double counts what a transaction read once more when it commits, Firestore does not: that many are taken off. */
function countingTransactions(db: Firestore): { db: Firestore; readInTransactions: () => number } {
  let read = 0
  const run = db.runTransaction.bind(db)
  db.runTransaction = (work, options) =>
    run(async (transaction) => {
      const getAll = transaction.getAll.bind(transaction)
      // The last argument is the field mask.
      transaction.getAll = (...args) => ((read += args.length - 1), getAll(...args))
      const get = transaction.get.bind(transaction)
      const countedGet = (ref: DocumentReference): Promise<DocumentSnapshot> => (read++, get(ref))
      transaction.get = countedGet as typeof transaction.get
      return work(transaction)
    }, options)
  return { db, readInTransactions: () => read }
}

function openAgain(archive: SealedArchive): Buffer {
  return openArchive(RING, 'a1', archive)
}

if (process.argv.length > 2) {
  process.stderr.write('Usage: npm run bench -- backup\n\nIt takes no options.\n')
  process.exitCode = process.argv[2] === '--help' ? 0 : 64
} else {
  const results: Record<string, object> = {}
  for (const kind of ['fresh', 'used', 'large'] as const) results[kind] = await measure(kind)
  process.stdout.write(`${JSON.stringify({ node: process.version, ...results }, null, 2)}\n`)
}
