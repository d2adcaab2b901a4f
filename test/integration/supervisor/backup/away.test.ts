import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { createLog } from '../../../../shared/log.ts'
import { createFirestoreTarget } from '../../../../supervisor/backup/firestore/connect.ts'
import { parseKeyRing } from '../../../../supervisor/backup/seal.ts'
import { DEAD_PORT, startFirestoreEmulator } from '../../../fixtures/firestore-emulator.ts'
import { pairAll, testPhones } from '../../../fixtures/paired-fleet.ts'
import { startRefusingServer } from '../../../fixtures/refusing-server.ts'
import { phonesKept } from '../../../fixtures/sealed-session.ts'
import { startStallingProxy } from '../../../fixtures/stalling-proxy.ts'
import { SupervisorProcess } from '../../../fixtures/supervisor-process.ts'
import { until } from '../../../fixtures/until.ts'
import { startSimulator } from '../../../simulator/simulator.ts'

const PROJECT = 'demo-away'
const PHONES = testPhones(3)
const CONTACT = '49151000001'
/** Ten a second. */
const EVERY_MS = 100

/** One run of the service, a real process with real workers, the real client over gRPC; only its times are short. */
t.test('Firestore is away, silent, and refuses, with ten messages a second', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const firestore = await startFirestoreEmulator(t)
  const proxy = await startStallingProxy(t, firestore.port)
  const key = randomBytes(32).toString('base64')
  const sessionsPath = t.testdir()
  const env = {
    WA_SOCKET_URL: simulator.url,
    WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    FIRESTORE_PROJECT_ID: PROJECT,
    FIRESTORE_EMULATOR_HOST: `127.0.0.1:${proxy.port}`,
    BACKUP_ENCRYPTION_KEY: key,
  }
  const service = new SupervisorProcess({
    sessionsPath,
    entry: new URL('./fixtures/impatient-supervisor.js', import.meta.url),
    execArgv: ['--expose-gc'],
    env,
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const ids = await pairAll(service, simulator, PHONES)
  await service.connected(PHONES.length)

  let sent = 0
  const messages = async (count: number): Promise<void> => {
    for (let number = 0; number < count; number++) {
      const to = PHONES[sent++ % PHONES.length] ?? ''
      const [message] = await Promise.all([
        simulator.sendText({ to, from: CONTACT, text: `message ${sent}` }),
        pause(EVERY_MS),
      ])
      if (number === count - 1) await until('its receipt', () => simulator.receiptsOf(message.id).length > 0)
    }
  }
  const held = async (): Promise<{ bytes: number; accounts: number; heldBytes: number }> => {
    const from = service.output.length
    process.kill(service.pid, 'SIGUSR2')
    const isHeld = ({ event }: Record<string, unknown>): boolean => event === 'test.held'
    const line = await until('what it holds', () => service.lines(from).find(isHeld))
    return line as unknown as { bytes: number; accounts: number; heldBytes: number }
  }
  const health = async (): Promise<{ status: number; firestore: string; oldestUnsavedMs: number | null }> => {
    const { status, body } = await service.api('GET', '/health')
    return { status, ...(body as { checks: { firestore: string; oldestUnsavedMs: number | null } }).checks }
  }
  const allSaved = (): Promise<unknown> =>
    until(
      'all to be saved',
      async () =>
        (await service.dashboard()).accounts.every(
          ({ backup }) => backup?.revision && !backup.pending && backup.error === null,
        ) && (await health()).firestore === 'ok',
      () => service.tail(),
    )
  const shown = async (): Promise<string[]> =>
    (await service.dashboard()).accounts.flatMap(({ backup }) => backup?.error ?? [])
  /** The first ones load code and fill caches. */
  await messages(30)
  await allSaved()

  await t.test('an outage: nothing piles up, and then everything is saved', async (t) => {
    const failuresBefore = service.lines().length
    proxy.leadTo(DEAD_PORT)
    await messages(20)
    const before = await held()
    await messages(50)
    // And from refused connections to ones that nobody answers.
    proxy.leadTo(firestore.port)
    proxy.hold()
    await messages(50)
    const tried = (): number => service.lines(failuresBefore).filter(({ event }) => event === 'backup.failed').length
    // Waits grow to five minutes: ten tries are 35 minutes.
    await until(
      'ten tries',
      () => tried() >= 10,
      () => `${tried()} tries`,
    )
    const after = await held()
    const tries = tried()
    t.match(await health(), { status: 200, firestore: 'degraded' })
    t.ok(((await health()).oldestUnsavedMs ?? 0) > 0)
    t.match((await shown()).join('\n'), /can not be reached|gave no answer/)
    t.match(after, { accounts: PHONES.length, heldBytes: 0 }, 'one entry an account, however many messages')
    const grownBytes = after.bytes - before.bytes
    t.comment(`${tries} tries, ${grownBytes} bytes more`)
    // Each try takes a session of more than 160 KB, and base64 of it: what holds on to one in four is seen.
    t.ok(grownBytes < 2_000_000, `${grownBytes} bytes more after ${tries} tries`)
    proxy.release()
    await allSaved()
  })

  await t.test('credentials that are revoked in mid-run: said with the remedy, and the accounts go on', async (t) => {
    for (const [status, sentence] of [
      [16, /Firestore said no \(UNAUTHENTICATED: .*\)\. Check that GOOGLE_APPLICATION_CREDENTIALS names a current key/],
      [7, /Firestore said no \(PERMISSION_DENIED: .*\)\. Check that .* has the role Cloud Datastore User/],
    ] as const) {
      proxy.leadTo((await startRefusingServer(t, status)).port)
      await messages(10)
      await until('the refusal to be shown', async () => (await shown()).some((error) => sentence.test(error)))
      t.match(await health(), { status: 200, firestore: 'degraded' })
      t.equal((await service.dashboard()).summary.connected, PHONES.length, 'no account notices')
    }
    proxy.leadTo(firestore.port)
    await allSaved()
  })

  const target = await createFirestoreTarget({
    projectId: PROJECT,
    emulatorHost: firestore.host,
    prefix: '',
    clock: systemClock,
    log: createLog('silent'),
  })
  t.teardown(() => target.close())
  for (const [at, id] of ids.entries()) {
    t.strictSame(await phonesKept(t, target, parseKeyRing(key, []), id), [PHONES[at], PHONES[at]])
  }
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())

  await t.test(
    'silent at the boot: after some seconds it goes on from the disk, with the times of production',
    async (t) => {
      proxy.hold()
      const next = new SupervisorProcess({ sessionsPath, env })
      t.teardown(() => next.end('SIGKILL'))
      await next.listening()
      t.match((await next.logged('restore.list_late'))['msg'], /goes on from the disk/)
      const rows = await next.connected(PHONES.length)
      t.ok(rows.every(({ notice }) => notice === null))
      proxy.release()
      t.same(await next.end('SIGTERM'), { code: 0, signal: null }, next.tail())
    },
  )
})
