import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { setAside } from '../../../../shared/session/set-aside.ts'

const NOW_MS = Date.UTC(2026, 0, 31, 23, 59, 59, 123)

t.test('moves the whole directory, and a second one of the same second beside it', async (t) => {
  const sessionsPath = t.testdir({ account: { 'session.log': 'first', lock: '' } })
  const options = { sessionsPath, accountId: 'account', reason: 'logged_out', nowMs: NOW_MS }
  const first = await setAside(options)
  t.equal(first, join(sessionsPath, '.set-aside', 'account-2026-01-31T23-59-59Z-logged_out'))
  mkdirSync(join(sessionsPath, 'account'))
  writeFileSync(join(sessionsPath, 'account', 'session.log'), 'second')
  const second = await setAside(options)
  t.equal(second, `${first}-2`)
  t.equal(readFileSync(join(first ?? '', 'session.log'), 'utf8'), 'first')
  t.equal(readFileSync(join(second ?? '', 'session.log'), 'utf8'), 'second')
  t.same(readdirSync(sessionsPath), ['.set-aside'])
})

t.test('nothing but a lock, or no directory, is nothing to move', async (t) => {
  const sessionsPath = t.testdir({ account: { lock: '' } })
  for (const accountId of ['account', 'absent']) {
    t.equal(await setAside({ sessionsPath, accountId, reason: 'removed', nowMs: NOW_MS }), undefined)
  }
  t.same(readdirSync(sessionsPath), ['account'])
})

t.test('refuses names that lead elsewhere', async (t) => {
  const sessionsPath = t.testdir({ account: { 'session.log': '' } })
  const cases: [string, string][] = [
    ['../account', 'removed'],
    ['.set-aside', 'removed'],
    ['', 'removed'],
    ['account', '../x'],
    ['account', ''],
  ]
  for (const [accountId, reason] of cases) {
    await t.rejects(setAside({ sessionsPath, accountId, reason, nowMs: NOW_MS }), { code: 'destination_refused' })
  }
  t.same(readdirSync(join(sessionsPath, 'account')), ['session.log'])
})
