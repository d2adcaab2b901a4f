import { readFileSync, statSync, writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AccessTokens, TOKENS_FILE } from '../../../../supervisor/access/access-tokens.ts'

t.test('a token is valid over restarts until it is revoked, and is nowhere on the disk', async (t) => {
  const sessionsPath = t.testdir({})
  const tokens = new AccessTokens(sessionsPath)
  t.equal(await tokens.load(), null)
  const [wall, program] = await Promise.all([
    tokens.create('Wall', 'viewer', '2026-01-01'),
    tokens.create('Program', 'admin', '2026-01-02'),
  ])
  const path = join(sessionsPath, TOKENS_FILE)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.notMatch(readFileSync(path, 'utf8'), wall.token.split('_')[2] ?? '')
  const again = new AccessTokens(sessionsPath)
  await again.load()
  t.match(again.find(wall.token), { id: wall.id, role: 'viewer' })
  t.match(again.find(program.token), { id: program.id, role: 'admin' })
  const [, , secret = ''] = wall.token.split('_')
  for (const wrong of [
    '',
    'wab_',
    wall.id,
    `wab_${wall.id}_`,
    `wab_${program.id}_${secret}`,
    `${wall.token}x`,
    secret,
  ]) {
    t.equal(again.find(wrong), undefined, wrong)
  }
  t.strictSame(
    again.list.map(({ name }) => name),
    ['Wall', 'Program'],
  )
  t.notMatch(JSON.stringify(again.list), /hash|[0-9a-f]{64}/)
  await again.revoke(wall.id)
  t.equal(again.find(wall.token), undefined)
  await t.rejects(again.revoke(wall.id), { code: 'token_not_found' })
  const third = new AccessTokens(sessionsPath)
  await third.load()
  t.strictSame(
    third.list.map(({ id }) => id),
    [program.id],
  )
})

t.test('a file that can not be read lets nobody in, and is not written over', async (t) => {
  for (const content of ['{', '[]', '{"tokens":[{"id":"x"}]}', '']) {
    const sessionsPath = t.testdir({ [TOKENS_FILE]: content })
    const tokens = new AccessTokens(sessionsPath)
    t.match(await tokens.load(), TOKENS_FILE)
    t.strictSame(tokens.list, [])
    await t.rejects(tokens.create('x', 'admin', ''), {
      code: 'storage_unavailable',
      message: /mend it, or move it away/,
    })
    t.equal(readFileSync(join(sessionsPath, TOKENS_FILE), 'utf8'), content)
  }
})

t.test('what the disk does not take is not valid; what it does not let go stays valid', async (t) => {
  const sessionsPath = t.testdir({})
  const tokens = new AccessTokens(sessionsPath)
  await tokens.load()
  const { id, token } = await tokens.create('x', 'admin', '')
  mkdirSync(join(sessionsPath, `${TOKENS_FILE}.tmp`))
  await t.rejects(tokens.create('y', 'admin', ''), { code: 'storage_unavailable' })
  t.equal(tokens.list.length, 1)
  await t.rejects(tokens.revoke(id), { code: 'storage_unavailable' })
  t.ok(tokens.find(token))
})

t.test('a hundred are enough', async (t) => {
  const sessionsPath = t.testdir({})
  const entry = { name: 'x', role: 'viewer', hash: 'a'.repeat(64), createdAt: '' }
  const stored = Array.from({ length: 100 }, (_, i) => ({ ...entry, id: i.toString(16).padStart(12, '0') }))
  writeFileSync(join(sessionsPath, TOKENS_FILE), JSON.stringify({ tokens: stored }))
  const tokens = new AccessTokens(sessionsPath)
  t.equal(await tokens.load(), null)
  await t.rejects(tokens.create('x', 'viewer', ''), { code: 'too_many_tokens' })
})
