import fc from 'fast-check'
import t from 'tap'
import { timestamp } from '../../../../shared/session/names.ts'
import { parseSetAsideName } from '../../../../shared/session/set-aside-name.ts'

const AT_MS = Date.UTC(2026, 0, 31, 23, 59, 59)

t.test('says account, time and reason of every name that is given', async (t) => {
  const cases: [string, string, string][] = [
    ['account_prod_0123456789ab-2026-01-31T23-59-59Z-logged_out', 'account_prod_0123456789ab', 'logged_out'],
    ['a-2026-01-31T23-59-59Z-removed-2', 'a', 'removed'],
    ['a-2026-01-31T23-59-59Z-removed-13', 'a', 'removed'],
    ['a-b.c-2026-01-31T23-59-59Z-bad_session', 'a-b.c', 'bad_session'],
    ['a-2020-01-01T00-00-00Z-removed-2026-01-31T23-59-59Z-logged_out', 'a-2020-01-01T00-00-00Z-removed', 'logged_out'],
  ]
  for (const [id, accountId, reason] of cases) {
    t.strictSame(parseSetAsideName(id), { id, accountId, reason, setAsideAtMs: AT_MS })
  }
})

t.test('takes nothing else', async (t) => {
  const others = [
    '',
    'a',
    '.clock.json',
    '.pruning-a-2026-01-31T23-59-59Z-removed',
    '.copying-a-2026-01-31T23-59-59Z-damaged',
    'a-2026-01-31T23-59-59Z-',
    'a-2026-01-31T23-59-59Z-Removed',
    'a-2026-01-31T23-59-59Z-removed-1',
    'a-2026-01-31T23-59-59Z-removed-02',
    'a-2026-01-31T23-59-59Z-removed.bak',
    'a-2026-01-31T23:59:59Z-removed',
    'a-2026-01-31T23-59-59.123Z-removed',
    'a-2026-02-31T23-59-59Z-removed',
    'a-2026-13-01T00-00-00Z-removed',
    'a-0099-01-01T00-00-00Z-removed',
    'a-2026-01-31T24-00-00Z-removed',
    '-2026-01-31T23-59-59Z-removed',
    'a/b-2026-01-31T23-59-59Z-removed',
    '../a-2026-01-31T23-59-59Z-removed',
    'a b-2026-01-31T23-59-59Z-removed',
    'a-2026-01-31T23-59-59Z-removed\n',
    `${'a'.repeat(65)}-2026-01-31T23-59-59Z-removed`,
  ]
  for (const name of others) t.equal(parseSetAsideName(name), undefined, JSON.stringify(name))
})

t.test('what is put together comes apart again', async () => {
  const accountId = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/)
  const reason = fc.stringMatching(/^[a-z][a-z0-9_]{0,39}$/)
  const seconds = fc.integer({ min: 0, max: 4_102_444_800 })
  fc.assert(
    fc.property(accountId, reason, seconds, fc.constantFrom('', '-2', '-10'), (account, why, second, count) => {
      const id = `${account}-${timestamp(second * 1000)}-${why}${count}`
      const parsed = parseSetAsideName(id)
      return parsed?.accountId === account && parsed.reason === why && parsed.setAsideAtMs === second * 1000
    }),
  )
})
