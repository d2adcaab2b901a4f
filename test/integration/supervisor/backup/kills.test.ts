import { randomBytes } from 'node:crypto'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { createLog } from '../../../../shared/log.ts'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { createFirestoreTarget } from '../../../../supervisor/backup/firestore/connect.ts'
import { parseKeyRing } from '../../../../supervisor/backup/seal.ts'
import { lookInto, startFirestoreEmulator } from '../../../fixtures/firestore-emulator.ts'
import { pairAll, testPhones } from '../../../fixtures/paired-fleet.ts'
import { enlargeSession, phoneIn, phonesKept } from '../../../fixtures/sealed-session.ts'
import { startStallingProxy } from '../../../fixtures/stalling-proxy.ts'
import { SupervisorProcess } from '../../../fixtures/supervisor-process.ts'
import { until } from '../../../fixtures/until.ts'
import { startSimulator } from '../../../simulator/simulator.ts'

/** Three documents of 900 KiB at the most. */
const LARGE_BYTES = 2_200_000
const PROJECT = 'demo-kills'
const CONTACT = '49151000001'
const PHONES = testPhones(2)
const [LARGE_PHONE = ''] = PHONES

/** Real processes and files, and the real client: the supervisor is killed while it saves, and while it restores. */
t.test('kill -9 in the middle of a backup and of a restore: whole, or not at all', async (t) => {
  const root = t.testdir({ first: {} })
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const firestore = await startFirestoreEmulator(t)
  const proxy = await startStallingProxy(t, firestore.port)
  const key = randomBytes(32).toString('base64')
  const ring = parseKeyRing(key, [])
  const target = await createFirestoreTarget({
    projectId: PROJECT,
    emulatorHost: firestore.host,
    prefix: '',
    clock: systemClock,
    log: createLog('silent'),
  })
  t.teardown(() => target.close())
  const env = {
    WA_SOCKET_URL: simulator.url,
    WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    FIRESTORE_PROJECT_ID: PROJECT,
    FIRESTORE_EMULATOR_HOST: `127.0.0.1:${proxy.port}`,
    BACKUP_ENCRYPTION_KEY: key,
    BACKUP_DEBOUNCE_MS: '0',
    BACKUP_INTERVAL_MS: '0',
    SHUTDOWN_TIMEOUT_MS: '30000',
  }
  const begin = (sessionsPath: string, onLine?: (line: string) => void): SupervisorProcess => {
    const service = new SupervisorProcess({ sessionsPath, env, ...(onLine && { onLine }) })
    t.teardown(() => service.end('SIGKILL'))
    return service
  }
  const saved = (service: SupervisorProcess): Promise<unknown> =>
    until(
      'all to be saved',
      async () => (await service.dashboard()).accounts.every(({ backup }) => backup?.revision && !backup.pending),
      () => service.tail(),
    )

  const sessionsPath = join(root, 'first')
  const first = await begin(sessionsPath).listening()
  const [large = '', small = ''] = await pairAll(first, simulator, PHONES)
  await first.connected(2)
  t.same(await first.end('SIGTERM'), { code: 0, signal: null }, first.tail())
  await enlargeSession(join(sessionsPath, large), LARGE_BYTES)

  await t.test('in the middle of a backup, wherever: what is kept opens, and the next one is whole', async (t) => {
    for (const bytes of [300_000, 1_200_000, LARGE_BYTES - 50_000]) {
      const service = await begin(sessionsPath).listening()
      await service.connected(2)
      await saved(service)
      const [newest] = await target.listArchives(large)
      proxy.after(bytes, () => process.kill(service.pid, 'SIGKILL'))
      await simulator.sendText({ to: LARGE_PHONE, from: CONTACT, text: 'something new' })
      await service.exited()
      t.strictSame(await phonesKept(t, target, ring, large), [LARGE_PHONE, LARGE_PHONE], `after ${bytes} bytes`)
      t.ok(((await target.listArchives(large))[0]?.rev ?? 0) >= (newest?.rev ?? Infinity))
    }
    const last = await begin(sessionsPath).listening()
    await last.connected(2)
    await saved(last)
    t.same(await last.end('SIGTERM'), { code: 0, signal: null }, last.tail())
    for (const id of [large, small]) t.equal((await phonesKept(t, target, ring, id)).length, 2)
    const names = (await lookInto(t, firestore.host, PROJECT).collection('wa_sessions').get()).docs.map(({ id }) => id)
    t.equal(names.filter((name) => /-p\d+-/.test(name)).length, 2 * 3, 'no part of what broke off is left')
    t.equal(names.length, 2 * 2 + 2 * 3)
  })

  await t.test('in the middle of a restore, wherever: no session, or a whole one', async (t) => {
    const points: Record<string, (dir: string, kill: () => void) => void> = {
      'half of it fetched': (_, kill) => proxy.after(LARGE_BYTES / 2, kill),
      'as it is written': (dir, kill) => onFile(dir, /\.tmp$/, kill),
      'as it has its name': (dir, kill) => onFile(dir, /session\.restore-\d+$/, kill),
      'as the worker makes the session of it': (dir, kill) => onFile(dir, /session\.log/, kill),
    }
    let dir = ''
    for (const [point, killAt] of Object.entries(points)) {
      dir = join(root, point.replaceAll(' ', '-'))
      mkdirSync(dir)
      // The machine is another one each time, and the host the same: else each would wait until the last one's lease ends.
      copyFileSync(join(sessionsPath, 'host-id'), join(dir, 'host-id'))
      for (const id of [large, small]) mkdirSync(join(dir, id))
      const service = begin(dir)
      killAt(dir, () => process.kill(service.pid, 'SIGKILL'))
      await service.exited()
      for (const [id, phone] of [
        [large, LARGE_PHONE],
        [small, PHONES[1]],
      ] as const) {
        const found = await sessionIn(t, join(dir, id))
        t.ok(found === undefined || found === phone, `${point}: ${found ?? 'nothing'}`)
      }
    }
    const mark = simulator.mark()
    const last = await begin(dir).listening()
    const rows = await last.connected(2)
    t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0, 'nobody was asked to scan')
    t.same([...new Set(rows.map(({ notice }) => notice?.code))], ['session_restored'])
    const left = [large, small].flatMap((id) => readdirSync(join(dir, id)).filter((name) => /restore/.test(name)))
    t.strictSame(left, [], 'nothing of it lies around')
    t.same(await last.end('SIGTERM'), { code: 0, signal: null }, last.tail())
  })
})

/** Calls once, in the moment in which a file of that name is there, below one of the directories. */
function onFile(dir: string, wanted: RegExp, call: () => void): void {
  let isOver = false
  const watchers = readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) =>
      watch(join(dir, name), (_, file) => {
        if (isOver || file === null || !wanted.test(file)) return
        isOver = true
        for (const watcher of watchers) watcher.close()
        call()
      }),
    )
}

/** Whose session there is, or is waiting to become one; rejects where it is not whole. */
async function sessionIn(t: Parameters<typeof phoneIn>[0], dir: string): Promise<string | undefined> {
  // Its worker outlives the supervisor by what it has to write.
  await (await lockSession({ dir, waitMs: 30_000 })).release()
  const name = readdirSync(dir).find((file) => file === 'session.log' || /^session\.restore-\d+$/.test(file))
  return name === undefined ? undefined : phoneIn(t, readFileSync(join(dir, name)))
}
