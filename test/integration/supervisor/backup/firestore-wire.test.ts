import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { createLog } from '../../../../shared/log.ts'
import { createFirestoreTarget } from '../../../../supervisor/backup/firestore/connect.ts'
import type { FirestoreTarget } from '../../../../supervisor/backup/firestore/target.ts'
import { openArchive, parseKeyRing, sealArchive } from '../../../../supervisor/backup/seal.ts'
import { DEAD_PORT, lookInto, startFirestoreEmulator } from '../../../fixtures/firestore-emulator.ts'
import { accountNamed, hostNamed } from '../../../fixtures/firestore.ts'

const KEY = randomBytes(32).toString('base64')
const RING = parseKeyRing(KEY, [])
const HERE = hostNamed('here')
const LEASE_MS = 300_000

async function connect(t: Test, emulatorHost: string): Promise<FirestoreTarget> {
  const target = await createFirestoreTarget({
    projectId: 'demo-backup',
    emulatorHost,
    prefix: 'test_',
    deadlineMs: 60_000,
    clock: systemClock,
    log: createLog('silent'),
  })
  t.teardown(() => target.close())
  return target
}

t.test('a fleet goes there and comes back over the wire, sealed', async (t) => {
  const { host } = await startFirestoreEmulator(t)
  const target = await connect(t, host)
  await target.writeHost(HERE)
  // What a session's log holds, in the way it holds it; the second needs parts even when compressed.
  const secrets = ['noiseKey', 'cHJpdmF0ZSBpZGVudGl0eSBrZXk=', '491709999999@s.whatsapp.net', 'pre-key-812']
  const fleet = [
    { account: accountNamed('account_test_1'), log: Buffer.from(secrets.join('|').repeat(50)) },
    {
      account: { ...accountNamed('account_test_2'), name: 'Back office', phone: '+4915222222222' },
      log: Buffer.concat([Buffer.from(secrets.join('|').repeat(50)), randomBytes(2_500_000)]),
    },
  ]
  for (const { account, log } of fleet) {
    const claim = await target.claim(account.accountId, HERE, LEASE_MS)
    await target.writeAccount(account, claim)
    for (const rev of [1, 2, 3]) {
      const plain = {
        accountId: account.accountId,
        rev,
        sessionRevision: 40 + rev,
        savedAtMs: 1_700_000_000_000,
        bytes: log,
      }
      t.equal(await target.writeArchive(account.accountId, claim, sealArchive(RING, plain)), 'written')
    }
  }

  const other = await connect(t, host)
  t.strictSame(
    await other.readAccounts(),
    fleet.map(({ account }) => account),
  )
  for (const { account, log } of fleet) {
    const { accountId } = account
    const infos = await other.listArchives(accountId)
    t.match(infos, [{ rev: 3, sessionRevision: 43, plainBytes: log.length, keyId: RING.current.id }, { rev: 2 }])
    for (const { rev } of infos) {
      t.ok(openArchive(RING, accountId, await other.readArchive(accountId, rev)).equals(log), `${accountId} ${rev}`)
    }
    await t.rejects(other.claim(accountId, hostNamed('there'), LEASE_MS), { code: 'owned_elsewhere' })
    await t.rejects(other.readArchive(accountId, 1), { code: 'not_found' })
  }

  const db = lookInto(t, host, 'demo-backup')
  const everything = (await db.collection('test_wa_sessions').get()).docs.map((found) =>
    JSON.stringify([found.ref.path, found.data()], (_, value: unknown) => withBytesAsText(value)),
  )
  // Four slots, and three parts for each of two large archives.
  t.equal(everything.length, 4 + 6)
  const readable = everything.join('\n')
  t.equal(readable.match(/WAB1/g)?.length, 4, 'the four archives are in what is read here')
  const forbidden = [...secrets, KEY, 'account_test_', 'Front desk', 'Back office', '4915', '@s.whatsapp']
  for (const text of forbidden) {
    t.notOk(readable.includes(text), `no ${text}`)
    t.notOk(
      readable.includes(Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -1)),
      `no ${text} in base64`,
    )
  }
  t.match(
    JSON.stringify((await db.collection('test_wa_accounts').get()).docs[0]?.data()),
    /Front desk.*\+4915112345678/,
  )
  for (const { account } of fleet) {
    const claim = await other.claim(account.accountId, HERE, LEASE_MS)
    await other.deleteAccount(account.accountId, claim)
  }
  t.equal((await db.collection('test_wa_sessions').get()).size, 0)
  t.equal((await db.collection('test_wa_accounts').get()).size, 0)
})

/** For JSON.stringify: bytes as the text that they may hold, so that nothing can hide in them. */
function withBytesAsText(value: unknown): unknown {
  const json = value as { type?: unknown; data?: unknown } | null
  if (typeof json !== 'object' || json?.type !== 'Buffer' || !Array.isArray(json.data)) return value
  return Buffer.from(json.data as number[]).toString('latin1')
}

t.test('who keeps no backups loads nothing of the client', async (t) => {
  const program = fileURLToPath(new URL('./fixtures/loaded-program.js', import.meta.url))
  const firestore = {
    FIRESTORE_PROJECT_ID: 'demo-a',
    FIRESTORE_EMULATOR_HOST: `127.0.0.1:${DEAD_PORT}`,
    BACKUP_ENCRYPTION_KEY: KEY,
  }
  const loaded = await Promise.all(
    [{}, firestore].map(async (more, at) => {
      const env = { PORT: '0', ADMIN_TOKEN: 'a-token-for-tests-0123456789', SESSIONS_PATH: t.testdirName + at, ...more }
      t.teardown(() => rmSync(env.SESSIONS_PATH, { recursive: true, force: true }))
      return Number((await promisify(execFile)(process.execPath, [program], { env })).stdout)
    }),
  )
  t.equal(loaded[0], 0)
  t.ok((loaded[1] ?? 0) > 0, 'and it would be seen')
})

t.test('credentials that can not be used are refused with the remedy, and not quoted', async (t) => {
  const dir = t.testdir({
    'not-json': 'topsecret',
    'no-type.json': '{"private_key":"topsecret"}',
    'no-key.json': '{"type":"service_account","client_email":"a@b"}',
    'bad-key.json': '{"type":"service_account","client_email":"a@b","private_key":"topsecret"}',
  })
  const cases = {
    'not-there': 'ENOENT',
    'not-json': 'JSON',
    'no-type.json': 'type',
    'no-key.json': 'private_key',
    'bad-key.json': 'PEM',
  }
  for (const [file, problem] of Object.entries(cases)) {
    const creating = createFirestoreTarget({
      projectId: 'demo-backup',
      credentialsPath: `${dir}/${file}`,
      prefix: '',
      clock: systemClock,
      log: createLog('silent'),
    })
    const error: unknown = await creating.catch((reason: unknown) => reason)
    t.match(error, {
      name: 'BackupError',
      code: 'refused',
      message: new RegExp(`${file} .*${problem}.*service account`),
    })
    t.notOk(String(error).includes('topsecret'))
  }
})
