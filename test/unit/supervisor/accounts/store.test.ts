import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AccountStore, type AccountRecord } from '../../../../supervisor/accounts/store.ts'

const record = (accountId: string, more: Partial<AccountRecord> = {}): AccountRecord => ({
  accountId,
  name: `Name of ${accountId}`,
  phone: '+40712345678',
  desired: 'running',
  purge: false,
  createdAt: '2026-01-01T00:00:00.000Z',
  ...more,
})
const fileOf = (...accounts: unknown[]) => JSON.stringify({ version: 1, accounts })
const idsIn = (path: string) =>
  (JSON.parse(readFileSync(path, 'utf8')) as { accounts: AccountRecord[] }).accounts.map(({ accountId }) => accountId)

t.test('a first start has no accounts and no problem', async (t) => {
  t.strictSame(await new AccountStore(t.testdir({}), () => []).load(), { records: [] })
})

t.test('what was saved comes back, and the generation before it is kept', async (t) => {
  const dir = t.testdir({})
  let records = [record('a')]
  const store = new AccountStore(dir, () => records)
  await store.save()
  records = [record('a'), record('b', { phone: null, desired: 'removed', purge: true })]
  await store.save()
  t.strictSame(await new AccountStore(dir, () => []).load(), { records })
  t.strictSame(idsIn(join(dir, 'accounts.json.prev')), ['a'])
  t.strictSame(readdirSync(dir).sort(), ['accounts.json', 'accounts.json.prev'], 'nothing else lies about')
  t.equal(statSync(join(dir, 'accounts.json')).mode & 0o777, 0o600)
})

const DAMAGED: [string, string][] = [
  ['cut off', fileOf(record('a')).slice(0, -10)],
  ['empty', ''],
  ['another version', JSON.stringify({ version: 2, accounts: [] })],
  ['a list', '[]'],
  ['null', 'null'],
  ['an id that leads out of the directory', fileOf(record('../../etc'))],
  ['a wish nobody knows', fileOf({ ...record('a'), desired: 'deleted' })],
  ['a record without a name', fileOf({ ...record('a'), name: undefined })],
]
for (const [how, text] of DAMAGED) {
  t.test(`a damaged file (${how}) is moved aside, and the previous generation taken`, async (t) => {
    const dir = t.testdir({ 'accounts.json': text, 'accounts.json.prev': fileOf(record('kept')) })
    const { records, problem } = await new AccountStore(dir, () => []).load()
    t.strictSame(records, [record('kept')])
    t.match(problem, /accounts\.json .* was moved to .*damaged.* previous generation with 1 accounts/s)
    const aside = readdirSync(dir).find((name) => name.includes('.damaged-')) ?? 'none'
    t.equal(readFileSync(join(dir, aside), 'utf8'), text, 'not a byte of it is lost')
  })
}

t.test('a damaged file without a previous generation: no accounts, and it says so', async (t) => {
  const dir = t.testdir({ 'accounts.json': '{' })
  const { records, problem } = await new AccountStore(dir, () => []).load()
  t.strictSame(records, [])
  t.match(problem, 'from the session directories alone')
})

t.test('both generations damaged: no accounts, and it says so', async (t) => {
  const dir = t.testdir({ 'accounts.json': '{', 'accounts.json.prev': '{' })
  const { records, problem } = await new AccountStore(dir, () => []).load()
  t.strictSame(records, [])
  t.match(problem, 'from the session directories alone')
})

t.test('a damaged file, then a crash before the next save: the previous generation is still taken', async (t) => {
  const dir = t.testdir({ 'accounts.json': '{', 'accounts.json.prev': fileOf(record('kept')) })
  await new AccountStore(dir, () => []).load()
  const { records, problem } = await new AccountStore(dir, () => []).load()
  t.strictSame(records, [record('kept')])
  t.match(problem, 'previous generation')
})

t.test('after a damaged file the next save does not overwrite the previous generation with damage', async (t) => {
  const dir = t.testdir({ 'accounts.json': '{', 'accounts.json.prev': fileOf(record('kept')) })
  const store = new AccountStore(dir, () => [record('kept'), record('new')])
  await store.load()
  await store.save()
  t.strictSame(idsIn(join(dir, 'accounts.json')), ['kept', 'new'])
  t.strictSame(idsIn(join(dir, 'accounts.json.prev')), ['kept'])
})

t.test('a file that can not be read at all is left alone', async (t) => {
  const dir = t.testdir({ 'accounts.json.prev': fileOf(record('kept')) })
  mkdirSync(join(dir, 'accounts.json'))
  await t.rejects(new AccountStore(dir, () => []).load(), { code: 'EISDIR' })
  t.strictSame(readdirSync(dir).sort(), ['accounts.json', 'accounts.json.prev'])
})

t.test('saves that are asked for while one is under way become one, with the latest records', async (t) => {
  const dir = t.testdir({})
  let writes = 0
  let ids: string[] = []
  const store = new AccountStore(dir, () => {
    writes++
    return ids.map((id) => record(id))
  })
  const saves: Promise<void>[] = []
  for (let i = 0; i < 50; i++) {
    ids = [...ids, `a${i}`]
    saves.push(store.save())
    // Some of them find a write under way.
    if (i % 10 === 0) await saves[0]
  }
  await Promise.all(saves)
  t.strictSame(idsIn(join(dir, 'accounts.json')), ids)
  t.ok(writes <= 10, `${writes} writes`)
  const before = writes
  await store.save()
  t.equal(writes, before + 1, 'a later save writes again')
})

t.test('whoever awaits a save has on the disk what he saw', async (t) => {
  const dir = t.testdir({})
  let ids: string[] = []
  const store = new AccountStore(dir, () => ids.map((id) => record(id)))
  const check = async (id: string): Promise<void> => {
    ids = [...ids, id]
    await store.save()
    t.ok(idsIn(join(dir, 'accounts.json')).includes(id), id)
  }
  await Promise.all(Array.from({ length: 20 }, (_, i) => check(`a${i}`)))
})

t.test('a save that fails says so, leaves the last good file, and the next one works', async (t) => {
  const dir = t.testdir({})
  let records = [record('a')]
  const store = new AccountStore(dir, () => records)
  await store.save()
  records = [record('b')]
  // A directory in the way of the temporary file: the write fails as it would on a full disk, before the rename.
  mkdirSync(join(dir, 'accounts.json.tmp'))
  await t.rejects(store.save(), { code: 'EISDIR' })
  await t.rejects(store.save(), { code: 'EISDIR' })
  t.strictSame((await new AccountStore(dir, () => []).load()).records, [record('a')])
  rmdirSync(join(dir, 'accounts.json.tmp'))
  await store.save()
  t.strictSame((await new AccountStore(dir, () => []).load()).records, [record('b')])
})

t.test('a save that fails does not take the one behind it along', async (t) => {
  const dir = t.testdir({})
  mkdirSync(join(dir, 'accounts.json.tmp'))
  const store = new AccountStore(dir, () => [record('a')])
  const first = store.save()
  await t.rejects(first, { code: 'EISDIR' })
  const second = store.save()
  rmdirSync(join(dir, 'accounts.json.tmp'))
  await t.resolves(second)
})

t.test('fields of a later version are kept', async (t) => {
  const dir = t.testdir({ 'accounts.json': '' })
  const extra = { ...record('a'), note: 'x' }
  writeFileSync(join(dir, 'accounts.json'), fileOf(extra))
  t.strictSame((await new AccountStore(dir, () => []).load()).records, [extra])
})
