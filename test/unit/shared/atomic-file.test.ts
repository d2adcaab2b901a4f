import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { syncDirectory, writeFileAtomic } from '../../../shared/atomic-file.ts'

t.test('writes a new file, for its owner alone', async (t) => {
  const dir = t.testdir({})
  const path = join(dir, 'a.json')
  await writeFileAtomic(path, 'one')
  t.equal(readFileSync(path, 'utf8'), 'one')
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.strictSame(readdirSync(dir), ['a.json'])
})

t.test('replaces a file by another one: who has the old one open keeps reading the old one', async (t) => {
  const dir = t.testdir({ 'a.json': 'old' })
  const path = join(dir, 'a.json')
  const before = statSync(path).ino
  await writeFileAtomic(path, Buffer.from([0, 255]))
  t.strictSame(readFileSync(path), Buffer.from([0, 255]))
  t.not(statSync(path).ino, before)
})

t.test('takes over what a crash left of an earlier write', async (t) => {
  const dir = t.testdir({ 'a.json': 'old', 'a.json.tmp': 'half of something much longer' })
  await writeFileAtomic(join(dir, 'a.json'), 'new')
  t.equal(readFileSync(join(dir, 'a.json'), 'utf8'), 'new')
  t.strictSame(readdirSync(dir), ['a.json'])
})

t.test('a failed write leaves the old file, and rejects with the error of the system', async (t) => {
  const dir = t.testdir({ 'a.json': 'old' })
  mkdirSync(join(dir, 'a.json.tmp'))
  await t.rejects(writeFileAtomic(join(dir, 'a.json'), 'new'), { code: 'EISDIR' })
  t.equal(readFileSync(join(dir, 'a.json'), 'utf8'), 'old')
  await t.rejects(writeFileAtomic(join(dir, 'none', 'a.json'), 'new'), { code: 'ENOENT' })
})

t.test('a failed rename leaves no temporary file', async (t) => {
  const dir = t.testdir({})
  mkdirSync(join(dir, 'a.json'))
  writeFileSync(join(dir, 'a.json', 'x'), '')
  await t.rejects(writeFileAtomic(join(dir, 'a.json'), 'new'), { code: 'EISDIR' })
  t.strictSame(readdirSync(dir), ['a.json'])
})

t.test('syncing a directory that is not there says so', async (t) => {
  await t.resolves(syncDirectory(t.testdir({})))
  await t.rejects(syncDirectory(join(t.testdir({}), 'none')), { code: 'ENOENT' })
})
