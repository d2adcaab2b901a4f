import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findSessions } from '../../../../supervisor/accounts/discover.ts'

const creds = (me: unknown) => JSON.stringify({ me })

t.test('finds whatever can be a session, and nothing else', async (t) => {
  const dir = t.testdir({
    'accounts.json': '{}',
    'admin-token': 'x',
    'creds.json': creds({ id: '1@s.whatsapp.net' }),
    empty: {},
    notes: { 'readme.txt': 'x', 'session.txt': 'x', 'xsession-1.json': 'x' },
    'lost+found': { 'session.log': 'x' },
    '.set-aside': { 'session.log': 'x' },
    'with space': { 'session.log': 'x' },
    log: { 'session.log': 'x' },
    'log-prev': { 'session.log.prev': 'x' },
    'multi-file': { 'pre-key-1.json': '{}' },
    ratchets: { 'session-40712345678.0.json': '{}' },
    account_prod_1: {
      'creds.json': creds({ id: '40712345678:5@s.whatsapp.net', name: 'Ana' }),
      'session.log': 'x',
    },
  })
  t.strictSame(await findSessions(dir), [
    { accountId: 'account_prod_1', phone: '+40712345678', name: 'Ana' },
    { accountId: 'log', phone: null, name: null },
    { accountId: 'log-prev', phone: null, name: null },
    { accountId: 'multi-file', phone: null, name: null },
    { accountId: 'ratchets', phone: null, name: null },
  ])
})

t.test('creds that say nothing of use are still a session', async (t) => {
  const hints: [string, string, { phone: string | null; name: string | null }][] = [
    ['a', '', { phone: null, name: null }],
    ['b', '{"me":', { phone: null, name: null }],
    ['c', 'null', { phone: null, name: null }],
    ['d', creds(null), { phone: null, name: null }],
    ['e', creds('40712345678@s.whatsapp.net'), { phone: null, name: null }],
    ['f', creds({ id: 5, name: 5 }), { phone: null, name: null }],
    ['g', creds({ id: '77@lid', name: '~' }), { phone: null, name: null }],
    ['h', creds({ id: '40712345678@s.whatsapp.net' }), { phone: '+40712345678', name: null }],
    ['i', '[1]', { phone: null, name: null }],
  ]
  const dir = t.testdir(Object.fromEntries(hints.map(([id, text]) => [id, { 'creds.json': text }])))
  t.strictSame(
    await findSessions(dir),
    hints.map(([accountId, , hint]) => ({ accountId, ...hint })),
  )
})

t.test('a link that leads elsewhere is no session', async (t) => {
  const dir = t.testdir({ sessions: {}, elsewhere: { 'session.log': 'x' } })
  symlinkSync(join(dir, 'elsewhere'), join(dir, 'sessions', 'linked'))
  t.strictSame(await findSessions(join(dir, 'sessions')), [])
})

t.test('a directory that is not there is an error, not an empty fleet', async (t) => {
  await t.rejects(findSessions(join(t.testdir({}), 'none')), { code: 'ENOENT' })
})
