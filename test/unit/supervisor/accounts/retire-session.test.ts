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
  await retireSession(path, record(false), 0)
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
  await retireSession(path, record(true), 0)
  t.notOk(existsSync(join(path, 'account_a')))
  t.strictSame(readdirSync(join(path, '.set-aside')), ['account_a-2026-01-01T00-00-00Z-logged_out'])
  t.ok(existsSync(join(path, 'account_ab', 'session.log')))
})

t.test('a purge that a crash cut short is finished', async (t) => {
  const path = t.testdir({ '.set-aside': { 'account_a-2026-01-01T00-00-00Z-purging': { 'session.log': 'secret' } } })
  await retireSession(path, record(true), 0)
  t.strictSame(readdirSync(join(path, '.set-aside')), [])
})

t.test('an account that never had a session is no error', async (t) => {
  await retireSession(t.testdir(), record(true), 0)
})

t.test('a session that another program holds is left alone', async (t) => {
  const path = t.testdir(session)
  const lock = await lockSession({ dir: join(path, 'account_a'), waitMs: 0 })
  t.teardown(() => lock.release())
  const error: unknown = await retireSession(path, record(true), 0).catch((error: unknown) => error)
  t.ok(error instanceof AppError && error.code === 'session_in_use')
  t.ok(existsSync(join(path, 'account_a', 'session.log')))
})
