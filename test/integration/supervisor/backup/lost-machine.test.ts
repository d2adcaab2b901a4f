import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Firestore } from 'firebase-admin/firestore'
import t from 'tap'
import { lookInto, startFirestoreEmulator } from '../../../fixtures/firestore-emulator.ts'
import { pairAll, testPhones } from '../../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../../fixtures/supervisor-process.ts'
import { until } from '../../../fixtures/until.ts'
import { startSimulator } from '../../../simulator/simulator.ts'

const ACCOUNTS = 30
// Sixty starts of a worker, on a machine that may have other work.
t.setTimeout(1_800_000)

/** The whole way: real processes, the real client over gRPC, sealed archives, the directory of the sessions deleted. */
t.test(`the machine is lost: ${ACCOUNTS} accounts connect on a new one, nobody scans`, async (t) => {
  const root = t.testdir({ first: {}, second: {} })
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const firestore = await startFirestoreEmulator(t)
  const env = {
    WA_SOCKET_URL: simulator.url,
    WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    FIRESTORE_PROJECT_ID: 'demo-lost-machine',
    FIRESTORE_EMULATOR_HOST: firestore.host,
    BACKUP_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    BACKUP_DEBOUNCE_MS: '200',
    BACKUP_INTERVAL_MS: '1000',
    SHUTDOWN_TIMEOUT_MS: '30000',
  }
  const first = new SupervisorProcess({ sessionsPath: join(root, 'first'), env })
  t.teardown(() => first.end('SIGKILL'))
  await first.listening()
  const phones = testPhones(ACCOUNTS)
  // Ten at a time: on two cores a start takes a second, and a wait has an end.
  for (let from = 0; from < ACCOUNTS; from += 10) await pairAll(first, simulator, phones.slice(from, from + 10))
  await first.connected(ACCOUNTS)
  await until(
    'all to be saved',
    async () => (await first.dashboard()).accounts.every(({ backup }) => backup?.revision && !backup.pending),
    () => first.tail(),
  )
  const health = (await first.api('GET', '/health')).body as { checks: { firestore: string } }
  t.equal(health.checks.firestore, 'ok')
  const { accounts } = await first.dashboard()
  t.same(await first.end('SIGTERM'), { code: 0, signal: null }, first.tail())

  const documents = await everyDocument(lookInto(t, firestore.host, env.FIRESTORE_PROJECT_ID))
  const ids = accounts.map(({ accountId }) => accountId)
  const secrets = ids.flatMap((id) => secretsOf(readFileSync(join(root, 'first', id, 'creds.json'), 'utf8')))
  t.ok(secrets.length > 10 * ACCOUNTS)
  // An owner, a document and one or two revisions of each account, and the host.
  t.ok(documents.length > 3 * ACCOUNTS, `${documents.length} documents`)
  const found = (texts: readonly string[], collections: RegExp): string[] => {
    const read = documents.filter(([path]) => collections.test(path)).map((parts) => parts.join('\n'))
    return texts.filter((text) => read.some((document) => document.includes(text)))
  }
  t.equal(found([...secrets, env.BACKUP_ENCRYPTION_KEY], /./).length, 0, 'no secret of a session in any document')
  t.strictSame(found([...ids, ...phones], /^wa_sessions/), [], 'nor in wa_sessions whose it is')
  t.strictSame(found(phones, /^wa_(owners|hosts)/), [], 'phones are where the operator needs them alone')
  t.equal(found(phones, /^wa_accounts/).length, ACCOUNTS)
  rmSync(join(root, 'first'), { recursive: true })

  const sent = await Promise.all(
    phones.slice(0, 5).map((to) => simulator.sendText({ to, from: '49151000001', text: 'in between' })),
  )
  const mark = simulator.mark()
  const second = new SupervisorProcess({ sessionsPath: join(root, 'second'), env })
  t.teardown(() => second.end('SIGKILL'))
  await second.listening()
  const rows = await second.connected(ACCOUNTS, 600_000)
  t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0)
  t.same([...new Set(rows.map(({ notice }) => notice?.code))], ['session_restored'])
  t.same(rows.map(({ name }) => name).sort(), phones.map((phone) => `Account ${phone.slice(-2)}`).sort())
  await until('what came in between', () => sent.every(({ id }) => simulator.receiptsOf(id).length > 0))
  t.same(await second.end('SIGTERM'), { code: 0, signal: null }, second.tail())
})

/** Path and content of every document, bytes as the text that they may hold. */
async function everyDocument(db: Firestore): Promise<[path: string, content: string][]> {
  const documents: [string, string][] = []
  for (const collection of ['wa_accounts', 'wa_owners', 'wa_hosts', 'wa_sessions']) {
    for (const document of (await db.collection(collection).get()).docs) {
      const fields = Object.entries(document.data())
      const texts = fields.map(([name, value]: [string, unknown]) =>
        Buffer.isBuffer(value)
          ? `${name}=${value.toString('latin1')}\n${value.toString('base64')}`
          : `${name}=${String(value)}`,
      )
      documents.push([document.ref.path, texts.join('\n')])
    }
  }
  return documents
}

/** Every key in a session's creds, as the text that it is there and as its bytes. */
function secretsOf(creds: string): string[] {
  const keys = creds.match(/[A-Za-z0-9+/]{40,}={0,2}/g) ?? []
  return keys.flatMap((key) => [key.replace(/=+$/, '').slice(0, -1), Buffer.from(key, 'base64').toString('latin1')])
}
