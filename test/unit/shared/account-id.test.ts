import { join, relative } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { ACCOUNT_ID_PATTERN, accountIdOf, isAccountId } from '../../../shared/account-id.ts'

t.test('ids', async (t) => {
  for (const id of ['a', 'account_prod_0123456789ab', 'Office-1', 'a.b', 'a..b', '_', '0', 'x'.repeat(64)]) {
    t.ok(isAccountId(id), id)
  }
})

t.test('what is no id', async (t) => {
  const none = [
    '',
    '.',
    '..',
    '../x',
    '..%2fx',
    '.set-aside',
    '.hidden',
    'a/b',
    'a\\b',
    '/etc',
    'a b',
    ' a',
    'a\n',
    '\na',
    'a\0',
    '-rf',
    'ä',
    'a:b',
    '~',
    '$HOME',
    'lost+found',
    'x'.repeat(65),
  ]
  for (const id of none) t.notOk(isAccountId(id), JSON.stringify(id))
})

t.test('whatever passes is one name below its directory, and the schema agrees', async () => {
  const schema = new RegExp(ACCOUNT_ID_PATTERN, 'u')
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[./a-z\\%-]{0,10}$/)), (text) => {
      if (schema.test(text) !== isAccountId(text)) throw new Error('the schema says otherwise')
      if (!isAccountId(text)) return
      const inside = relative('/data/sessions', join('/data/sessions', text))
      if (inside !== text || inside.startsWith('.') || inside.includes('/')) throw new Error(inside)
    }),
    { numRuns: 2000 },
  )
})

t.test("an account's id is that of its phone's digits, for ever", async (t) => {
  // Promised to whoever keeps ids: a change here makes a second account of each phone.
  t.equal(accountIdOf('prod', '+40712345678'), 'account_prod_701d93b24c3e')
  t.equal(accountIdOf('prod', '+40 712-345-678'), accountIdOf('prod', '+40712345678'))
  t.not(accountIdOf('prod', '+40712345679'), accountIdOf('prod', '+40712345678'))
  t.not(accountIdOf('test', '+40712345678'), accountIdOf('prod', '+40712345678'))
  t.ok(isAccountId(accountIdOf('a'.repeat(20), '+123456789012345')))
})
