import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { lookInto, startFirestoreEmulator } from '../../../fixtures/firestore-emulator.ts'
import { pair, testPhones } from '../../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../../fixtures/supervisor-process.ts'
import { until } from '../../../fixtures/until.ts'
import { startSimulator } from '../../../simulator/simulator.ts'

const COMMAND = fileURLToPath(new URL('../../../../supervisor/backup/backup-command.js', import.meta.url))
const PROJECT = 'demo-two-hosts'
const [PHONE = ''] = testPhones(1)

/** Two real supervisors on one project: what the second may not do, what it says, and what the first keeps. */
t.test('a second host neither restores, nor overwrites, nor deletes what another one has', async (t) => {
  const root = t.testdir({ one: {}, two: {}, three: {} })
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const firestore = await startFirestoreEmulator(t)
  const db = lookInto(t, firestore.host, PROJECT)
  const env = {
    WA_SOCKET_URL: simulator.url,
    WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    FIRESTORE_PROJECT_ID: PROJECT,
    FIRESTORE_EMULATOR_HOST: firestore.host,
    BACKUP_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BACKUP_DEBOUNCE_MS: '100',
    BACKUP_INTERVAL_MS: '500',
    SHUTDOWN_TIMEOUT_MS: '60000',
  }
  const begin = (name: string): Promise<SupervisorProcess> => {
    const service = new SupervisorProcess({ sessionsPath: join(root, name), env })
    t.teardown(() => service.end('SIGKILL'))
    return service.listening()
  }
  const restore = async (name: string, accountId: string): Promise<{ code: number; said: string }> => {
    const commandEnv = { ...env, SESSIONS_PATH: join(root, name) }
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, 'restore', accountId], {
        env: commandEnv,
      })
      return { code: 0, said: stdout }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, said: stdout + stderr }
    }
  }
  /** All that is kept, but for what tells that hosts are alive, and the first one's status. */
  const kept = async (...collections: ('wa_owners' | 'wa_sessions')[]): Promise<unknown> => {
    const documents = []
    for (const collection of collections) {
      const found = await db.collection(collection).get()
      documents.push(...found.docs.map((document) => [document.ref.path, JSON.stringify(document.data())]))
    }
    return documents
  }

  const one = await begin('one')
  const accountId = await pair(one, simulator, PHONE)
  await one.connected(1)
  const isSaved = (revision = 0) =>
    one.account(
      accountId,
      ({ backup }) => backup !== null && (backup.revision ?? 0) > revision && !backup.pending && backup.error === null,
    )
  await isSaved(1)
  const owner = readFileSync(join(root, 'one', 'host-id'), 'utf8').trim()
  const isNamed = new RegExp(`those of host ".+" \\(${owner}\\) since .*, which was seen \\d+ s ago`)
  const owners = await kept('wa_owners')

  const two = await begin('two')
  t.match(await two.account(accountId, ({ reason }) => reason === 'restore_waiting'), { status: 'disconnected' })
  t.match((await two.logged('restore.failed', accountId))['cause'], isNamed)
  const { detail } = await two.account(accountId, () => true)
  t.match(detail, isNamed, 'the dashboard says whose it is')
  // From here on the first host has nothing to save: what changes is another's doing.
  t.equal((await one.api('POST', `/api/whatsapp/accounts/${accountId}/pause`)).status, 200)
  await one.account(accountId, ({ process }) => process.pid === null)
  await isSaved()
  const before = await kept('wa_owners', 'wa_sessions')
  t.match(await restore('three', accountId), { code: 1, said: isNamed })
  t.strictSame(
    readdirSync(join(root, 'three')).filter((name) => name === accountId || name === 'accounts.json'),
    [],
    'nothing was changed by the command',
  )
  // The operator renames it there, pairs it anew, and removes it in the end: the first host's backups are not touched.
  t.equal((await two.add(PHONE, 'Renamed on the second')).qrCode, null, 'no new session in the place of the backup')
  await until('a refusal of the backup', async () => {
    const { backup } = await two.account(accountId, () => true)
    return isNamed.test(backup?.error ?? '')
  })
  await two.api('POST', `/api/whatsapp/accounts/${accountId}/backup-now`)
  t.equal((await two.api('DELETE', `/api/whatsapp/accounts/${accountId}`)).status, 200)
  t.same(await two.end('SIGTERM'), { code: 0, signal: null }, two.tail())
  // It asks for the account once a minute; a new process does at once.
  const again = await begin('two')
  await until('the wish to be done', () => !readdirSync(join(root, 'two')).includes('backup-removals.json'))
  t.match((await again.logged('backup.owned_elsewhere', accountId))['cause'], isNamed)
  t.same(await again.end('SIGTERM'), { code: 0, signal: null }, again.tail())
  t.strictSame(await kept('wa_owners', 'wa_sessions'), before)
  t.strictSame(await kept('wa_owners'), owners)
  t.match((await db.doc(`wa_accounts/${accountId}`).get()).data(), { name: 'Account 01' })

  t.equal((await one.api('POST', `/api/whatsapp/accounts/${accountId}/resume`)).status, 200)
  await one.connected(1)
  // The first one goes on saving, and when it lets go another one takes over, without a scan.
  const { backup } = await one.account(accountId, () => true)
  const { id } = await simulator.sendText({ to: PHONE, from: '49151000001', text: 'hello' })
  await until('its receipt', () => simulator.receiptsOf(id).length > 0)
  await isSaved(backup?.revision ?? 0)
  await until('its wish to be saved', async () => {
    const account = (await db.doc(`wa_accounts/${accountId}`).get()).data() as { desired: string }
    return account.desired === 'running'
  })
  t.same(await one.end('SIGTERM'), { code: 0, signal: null }, one.tail())
  t.match(await restore('three', accountId), { code: 0, said: /is in place/ })
  const mark = simulator.mark()
  const three = await begin('three')
  t.match(await three.connected(1), [{ accountId, name: 'Account 01', notice: { code: 'session_restored' } }])
  t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0)
  t.same(await three.end('SIGTERM'), { code: 0, signal: null }, three.tail())
})
