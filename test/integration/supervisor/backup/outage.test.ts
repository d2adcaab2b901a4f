import { fork } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { createLog } from '../../../../shared/log.ts'
import { createFirestoreTarget } from '../../../../supervisor/backup/firestore/connect.ts'
import type { FirestoreTarget } from '../../../../supervisor/backup/firestore/target.ts'
import { DEAD_PORT, freePort, lookInto, startFirestoreEmulator } from '../../../fixtures/firestore-emulator.ts'
import { accountNamed, archiveOf, hostNamed } from '../../../fixtures/firestore.ts'
import { startRefusingServer } from '../../../fixtures/refusing-server.ts'
import { startSilentPort, startStallingProxy } from '../../../fixtures/stalling-proxy.ts'
import { until } from '../../../fixtures/until.ts'

const HERE = hostNamed('here')
const LEASE_MS = 300_000

interface Seen {
  outcomes: Record<string, string>
  grownBytes: number
}

/** Runs the program against a host until it ended by itself; it hangs this test otherwise. */
async function runProgram(t: Test, host: string, attempts: number): Promise<Seen> {
  const child = fork(new URL('./fixtures/outage-program.js', import.meta.url), [host, String(attempts)], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  // The channel would keep it alive.
  child.disconnect()
  if (child.stdout === null) throw new Error('no output')
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number | null]>])
  t.equal(code, 0, 'it ended by itself')
  return JSON.parse(printed) as Seen
}

async function connect(t: Test, port: number, deadlineMs: number): Promise<FirestoreTarget> {
  const target = await createFirestoreTarget({
    projectId: 'demo-backup',
    emulatorHost: `127.0.0.1:${port}`,
    prefix: '',
    deadlineMs,
    clock: systemClock,
    log: createLog('silent'),
  })
  t.teardown(() => target.close())
  return target
}

const isUnreachable = { name: 'BackupError', code: 'unreachable' }

t.test('where nothing listens every call ends, the memory stays flat, and the process can end', async (t) => {
  const { outcomes, grownBytes } = await runProgram(t, `127.0.0.1:${DEAD_PORT}`, 200)
  for (const [call, outcome] of Object.entries(outcomes)) t.equal(outcome, 'unreachable', call)
  t.equal(Object.keys(outcomes).length, 10)
  // 200 archives of 100 KB are 20 MB: what holds on to one in four of them is seen.
  t.ok(grownBytes < 5_000_000, `${grownBytes} bytes more after 200 attempts`)
})

t.test('where nobody answers every call ends, and the process can end', async (t) => {
  const { outcomes } = await runProgram(t, `127.0.0.1:${await startSilentPort(t)}`, 0)
  for (const [call, outcome] of Object.entries(outcomes)) t.equal(outcome, 'unreachable', call)
  t.equal(Object.keys(outcomes).length, 9)
})

t.test('a write that was given up at a dead port does not land over a newer one', async (t) => {
  const port = await freePort()
  const target = await connect(t, port, 5000)
  // The host's document is the one that has no fence but the order of writes.
  await t.rejects(target.writeHost({ ...HERE, name: 'OLD' }), isUnreachable)
  await startFirestoreEmulator(t, port)
  await until('the server to be reached again', () =>
    target.writeHost({ ...HERE, name: 'NEW' }).then(
      () => true,
      () => false,
    ),
  )
  // Whatever was under way has settled with this.
  await target.close()
  const db = lookInto(t, `127.0.0.1:${port}`, 'demo-backup')
  t.match((await db.doc(`wa_hosts/${HERE.hostId}`).get()).data(), { name: 'NEW' })
})

t.test(
  'a write that was given up and lands late is followed by the newer one, never the other way round',
  async (t) => {
    const emulator = await startFirestoreEmulator(t)
    const proxy = await startStallingProxy(t, emulator.port)
    const target = await connect(t, proxy.port, 15_000)
    const account = accountNamed('a1')
    const claim = await target.claim('a1', HERE, LEASE_MS)
    await target.writeAccount(account, claim)
    await target.writeArchive('a1', claim, archiveOf(1))

    proxy.hold()
    const old = { account: { ...account, name: 'OLD' }, archive: archiveOf(2) }
    const newer = { account: { ...account, name: 'NEW' }, archive: archiveOf(4) }
    await Promise.all([
      t.rejects(target.writeAccount(old.account, claim), isUnreachable),
      t.rejects(target.writeArchive('a1', claim, old.archive), isUnreachable),
    ])
    proxy.release()
    const written = (work: () => Promise<unknown>) => () =>
      work().then(
        () => true,
        () => false,
      )
    await until(
      'the account to be written',
      written(() => target.writeAccount(newer.account, claim)),
    )
    await until(
      'the archive to be written',
      written(() => target.writeArchive('a1', claim, newer.archive)),
    )

    const direct = await connect(t, emulator.port, 60_000)
    t.strictSame(await direct.readAccounts(), [newer.account])
    t.strictSame(await direct.readArchive('a1', 4), newer.archive)
    t.equal(await target.writeArchive('a1', claim, old.archive), 'superseded')
    await target.close()
    t.strictSame(await direct.readAccounts(), [newer.account])
    t.strictSame(await direct.readArchive('a1', 4), newer.archive)
  },
)

t.test('what the server answers is said at once, with the remedy, and never repeated', async (t) => {
  const answers = [
    { status: 7, code: 'refused', message: /PERMISSION_DENIED.*roles\/datastore.user/ },
    { status: 16, code: 'refused', message: /UNAUTHENTICATED.*GOOGLE_APPLICATION_CREDENTIALS/ },
    { status: 8, code: 'over_quota', message: /RESOURCE_EXHAUSTED.*quota/ },
    { status: 5, code: 'not_found', message: /NOT_FOUND.*FIRESTORE_PROJECT_ID/ },
  ]
  for (const { status, code, message } of answers) {
    const server = await startRefusingServer(t, status)
    const target = await connect(t, server.port, 60_000)
    const claim = { hostId: HERE.hostId, name: '0'.repeat(32), epoch: 1, lastRev: 0 }
    const isRefusal = { name: 'BackupError', code, message }
    await t.rejects(target.readAccounts(), isRefusal)
    await t.rejects(target.writeAccount(accountNamed('a1'), claim), isRefusal)
    await t.rejects(target.writeArchive('a1', claim, archiveOf(1)), isRefusal)
    t.equal(server.asked(), 3, `asked once for each call, ${status}`)
  }
})
