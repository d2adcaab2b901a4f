import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AppError } from '../../../../shared/errors.ts'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { retireSession } from '../../../../supervisor/accounts/retire-session.ts'
import type { AccountRecord } from '../../../../supervisor/accounts/store.ts'

const record = (purge: boolean): AccountRecord => ({
  accountId: 'account_a',
  name: 'A',
  phone: null,
  desired: 'removed',
  purge,
  createdAt: '2026-01-01T00:00:00.000Z',
})
const session = { account_a: { 'session.log': 'x', 'creds.json': '{}' }, account_ab: { 'session.log': 'y' } }

t.test('a removed session is set aside whole, the others stay', async (t) => {
  const path = t.testdir(session)
  await retireSession(path, record(false), 0, 0)
  t.notOk(existsSync(join(path, 'account_a')))
  const [aside = ''] = readdirSync(join(path, '.set-aside'))
  t.match(aside, /^account_a-.*-removed$/)
  t.strictSame(readdirSync(join(path, '.set-aside', aside)).sort(), ['creds.json', 'lock', 'session.log'])
  t.ok(existsSync(join(path, 'account_ab', 'session.log')))
})

t.test('a purged session is gone, and nothing else is', async (t) => {
  const path = t.testdir({
    ...session,
    '.set-aside': { 'account_a-2026-01-01T00-00-00Z-logged_out': { 'session.log': 'kept' } },
  })
  await retireSession(path, record(true), 0, 0)
  t.notOk(existsSync(join(path, 'account_a')))
  t.strictSame(readdirSync(join(path, '.set-aside')), ['account_a-2026-01-01T00-00-00Z-logged_out'])
  t.ok(existsSync(join(path, 'account_ab', 'session.log')))
})

t.test('a purge that a crash cut short is finished', async (t) => {
  const path = t.testdir({ '.set-aside': { 'account_a-2026-01-01T00-00-00Z-purging': { 'session.log': 'secret' } } })
  await retireSession(path, record(true), 0, 0)
  t.strictSame(readdirSync(join(path, '.set-aside')), [])
})

t.test(
  'a purge that comes after the session was set aside takes that one, not those of earlier removals',
  async (t) => {
    const names = ['2025-12-31T23-59-59Z-removed', '2026-01-01T00-00-00Z-removed', '2026-02-01T00-00-00Z-logged_out']
    const aside = Object.fromEntries(names.map((name) => [`account_a-${name}`, { 'session.log': 'x' }]))
    const path = t.testdir({ '.set-aside': { ...aside, 'account_b-2026-02-01T00-00-00Z-removed': {} } })
    await retireSession(path, record(true), 0, 0)
    t.strictSame(readdirSync(join(path, '.set-aside')), [
      'account_a-2025-12-31T23-59-59Z-removed',
      'account_a-2026-02-01T00-00-00Z-logged_out',
      'account_b-2026-02-01T00-00-00Z-removed',
    ])
  },
)

t.test('a purge of a session that is in its place leaves what was removed before', async (t) => {
  const before = { 'account_a-2026-02-01T00-00-00Z-removed': { 'session.log': 'x' } }
  const path = t.testdir({ ...session, '.set-aside': before })
  await retireSession(path, record(true), 0, 0)
  t.strictSame(readdirSync(join(path, '.set-aside')), Object.keys(before))
})

t.test('an account that never had a session is no error', async (t) => {
  await retireSession(t.testdir(), record(true), 0, 0)
})

t.test('a session that another program holds is left alone', async (t) => {
  const path = t.testdir(session)
  const lock = await lockSession({ dir: join(path, 'account_a'), waitMs: 0 })
  t.teardown(() => lock.release())
  const error: unknown = await retireSession(path, record(true), 0, 0).catch((error: unknown) => error)
  t.ok(error instanceof AppError && error.code === 'session_in_use')
  t.ok(existsSync(join(path, 'account_a', 'session.log')))
})
