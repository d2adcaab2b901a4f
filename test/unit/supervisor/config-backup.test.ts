import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { workerEnvironment } from '../../../supervisor/fleet/child-process.ts'
import { BACKUP_SETTINGS } from '../../../supervisor/config-backup.ts'
import { parseConfig, type Config, type Environment } from '../../../supervisor/config.ts'

/** A user that owns nothing: Debian's nobody. */
const NOBODY = 65534
const KEY = Buffer.alloc(32, 7).toString('base64')
const OLD = Buffer.alloc(32, 8).toString('base64')
const EMULATED = { FIRESTORE_PROJECT_ID: 'demo-project', FIRESTORE_EMULATOR_HOST: '127.0.0.1:8081' }

const backup = (env: Environment, cwd = '/srv'): Config['backup'] => {
  const { config, errors } = parseConfig(env, cwd)
  if (config === undefined) throw new Error(errors.join('\n'))
  return config.backup
}
const errors = (env: Environment, cwd = '/srv'): string[] => parseConfig(env, cwd).errors ?? []

t.test('backups are off where no project is named', async (t) => {
  t.equal(backup({}), null)
  // Set for other programs of the same user, as it often is.
  t.equal(backup({ GOOGLE_APPLICATION_CREDENTIALS: '/nowhere' }), null)
})

t.test('an emulator needs no credentials; the rest has defaults', async (t) => {
  t.strictSame(backup({ ...EMULATED, BACKUP_ENCRYPTION_KEY: KEY }), {
    projectId: 'demo-project',
    credentialsPath: null,
    emulatorHost: '127.0.0.1:8081',
    prefix: '',
    key: Buffer.alloc(32, 7),
    oldKeys: [],
    debounceMs: 5000,
    intervalMs: 60_000,
  })
})

t.test('everything set', async (t) => {
  const dir = t.testdir({ 'account.json': '{}', key: `${KEY}\n` })
  const env = {
    FIRESTORE_PROJECT_ID: 'demo-project',
    FIRESTORE_PREFIX: 'test_',
    GOOGLE_APPLICATION_CREDENTIALS: 'account.json',
    BACKUP_ENCRYPTION_KEY_FILE: 'key',
    BACKUP_OLD_KEYS: `${OLD}, ${KEY},`,
    BACKUP_DEBOUNCE_MS: '1',
    BACKUP_INTERVAL_MS: '2',
  }
  t.strictSame(backup(env, dir), {
    projectId: 'demo-project',
    credentialsPath: join(dir, 'account.json'),
    emulatorHost: null,
    prefix: 'test_',
    key: Buffer.alloc(32, 7),
    oldKeys: [Buffer.alloc(32, 8), Buffer.alloc(32, 7)],
    debounceMs: 1,
    intervalMs: 2,
  })
})

t.test('the key as a systemd credential; one that is not there is no credential', async (t) => {
  const dir = t.testdir({ 'backup-encryption-key': KEY })
  t.strictSame(backup({ ...EMULATED, CREDENTIALS_DIRECTORY: dir })?.key, Buffer.alloc(32, 7))
  const other = Buffer.alloc(32, 8)
  const both = { ...EMULATED, CREDENTIALS_DIRECTORY: dir, BACKUP_ENCRYPTION_KEY: OLD }
  t.strictSame(backup(both)?.key, other, 'what is set goes before what is there')
  t.match(errors({ ...EMULATED, CREDENTIALS_DIRECTORY: '/nowhere' }), [/rather than sent in the clear/])
})

t.test('a unit names every credential that there can be: an empty one is none', async (t) => {
  const dir = t.testdir({
    all: { 'backup-encryption-key': KEY, 'google-credentials': '{}', 'backup-old-keys': `${OLD}\n` },
    empty: { 'backup-encryption-key': '', 'google-credentials': '', 'backup-old-keys': '' },
  })
  const found = backup({ FIRESTORE_PROJECT_ID: 'demo-project', CREDENTIALS_DIRECTORY: join(dir, 'all') })
  t.equal(found?.credentialsPath, join(dir, 'all', 'google-credentials'))
  t.strictSame(found?.oldKeys, [Buffer.alloc(32, 8)])
  const empty = { FIRESTORE_PROJECT_ID: 'demo-project', CREDENTIALS_DIRECTORY: join(dir, 'empty') }
  t.match(errors(empty), [/GOOGLE_APPLICATION_CREDENTIALS is not/, /rather than sent in the clear/])
})

t.test('what is wrong is said, with the remedy, and never with a key', async (t) => {
  const dir = t.testdir({ short: 'AAAA', empty: '', big: 'x'.repeat(5000), dir: {} })
  const secret = `${KEY.slice(0, 40)}SECRET`
  const keyed = { ...EMULATED, BACKUP_ENCRYPTION_KEY: KEY }
  const cases: [Environment, RegExp][] = [
    [EMULATED, /there is no key to seal backups with: .* rather than sent in the clear/],
    [{ ...EMULATED, BACKUP_ENCRYPTION_KEY: secret }, /BACKUP_ENCRYPTION_KEY has 46 characters and is no key/],
    [{ ...EMULATED, BACKUP_ENCRYPTION_KEY: Buffer.alloc(16).toString('base64') }, /has 24 characters and is no key/],
    [{ ...keyed, BACKUP_ENCRYPTION_KEY_FILE: 'x' }, /both set: keep one/],
    [{ ...EMULATED, BACKUP_ENCRYPTION_KEY_FILE: 'none' }, /could not be read from .*none \(ENOENT\)/],
    [{ ...EMULATED, BACKUP_ENCRYPTION_KEY_FILE: 'short' }, /short holds no key/],
    [{ ...EMULATED, BACKUP_ENCRYPTION_KEY_FILE: 'empty' }, /empty holds no key/],
    [{ ...EMULATED, BACKUP_ENCRYPTION_KEY_FILE: 'big' }, /it has 5000 bytes/],
    [{ ...EMULATED, BACKUP_ENCRYPTION_KEY_FILE: 'dir' }, /EISDIR/],
    [{ ...keyed, BACKUP_OLD_KEYS: `${OLD},${secret}` }, /BACKUP_OLD_KEYS: number 2 is no key/],
    [{ ...keyed, FIRESTORE_PROJECT_ID: 'A b' }, /FIRESTORE_PROJECT_ID is "A b"/],
    [{ ...keyed, FIRESTORE_EMULATOR_HOST: 'http://x' }, /FIRESTORE_EMULATOR_HOST is "http:\/\/x": use HOST:PORT/],
    [{ ...keyed, FIRESTORE_PREFIX: 'a/b' }, /FIRESTORE_PREFIX is "a\/b"/],
    [{ ...keyed, BACKUP_INTERVAL_MS: '-1' }, /BACKUP_INTERVAL_MS is "-1"/],
    [{ FIRESTORE_PROJECT_ID: 'demo-project', BACKUP_ENCRYPTION_KEY: KEY }, /GOOGLE_APPLICATION_CREDENTIALS is not/],
    [{ ...keyed, GOOGLE_APPLICATION_CREDENTIALS: 'none' }, /none", which can not be read \(ENOENT\)/],
    [{ ...keyed, GOOGLE_APPLICATION_CREDENTIALS: 'dir' }, /dir", which is no file/],
    [{ BACKUP_ENCRYPTION_KEY: KEY }, /BACKUP_ENCRYPTION_KEY is set, but FIRESTORE_PROJECT_ID is not/],
    [{ ...keyed, BACKUP_ENCRYPTON_KEY: KEY }, /did you mean BACKUP_ENCRYPTION_KEY/],
  ]
  for (const [env, wanted] of cases) {
    const said = errors(env, dir)
    t.match(said, [wanted])
    t.equal(said.length, 1)
    for (const key of [KEY, OLD, secret]) t.notOk(said.join().includes(key.slice(0, 12)))
  }
})

t.test('a key file that this user may not read', async (t) => {
  const dir = t.testdir()
  writeFileSync(join(dir, 'key'), KEY)
  chmodSync(join(dir, 'key'), 0)
  // Root may read everything, so it is somebody else for a moment.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    t.match(errors({ ...EMULATED, BACKUP_ENCRYPTION_KEY_FILE: 'key' }, dir), [/EACCES/])
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

t.test('workers see nothing of it', async (t) => {
  const names = [...BACKUP_SETTINGS, 'CREDENTIALS_DIRECTORY']
  t.strictSame(workerEnvironment(Object.fromEntries(names.map((name) => [name, 'x']))), {})
})
