import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hostId } from '../../../../supervisor/backup/host-id.ts'
import { Removals } from '../../../../supervisor/backup/removals.ts'

t.test('removals outlive a restart, until they are done', async (t) => {
  const dir = t.testdir()
  const first = new Removals(dir)
  t.equal(await first.load(), undefined)
  await Promise.all([first.add('a', 1000), first.add('b', 2000), first.add('a', 3000.5)])
  const second = new Removals(dir)
  t.equal(await second.load(), undefined)
  t.strictSame(second.all, ['a', 'b'])
  t.strictSame(
    ['a', 'b', 'c'].map((id) => second.atMs(id)),
    [3000, 2000, undefined],
  )
  await Promise.all([second.done('a'), second.done('c'), second.done('b')])
  t.notOk(second.has('a'))
  t.notOk(existsSync(join(dir, 'backup-removals.json')))
})

t.test('one that can not be noted is said, with what follows', async (t) => {
  const removals = new Removals(join(t.testdir({ file: 'x' }), 'file'))
  await t.rejects(removals.add('a', 1), { code: 'storage_unavailable', message: /could not be written \(ENOTDIR\)/ })
})

t.test('a file of something else is said, and is no reason not to start', async (t) => {
  for (const text of ['{', '{"version":2}', '{"version":2,"accounts":[{"accountId":"../x","atMs":1}]}']) {
    const removals = new Removals(t.testdir({ 'backup-removals.json': text }))
    t.match(await removals.load(), /backup-removals\.json/)
    t.strictSame(removals.all, [])
  }
})

t.test('a host has one id for ever; a damaged one is refused, not replaced', async (t) => {
  const dir = t.testdir()
  const made = await hostId(dir)
  t.match(made, /^[0-9a-f]{32}$/)
  t.equal(await hostId(dir), made)
  t.equal(statSync(join(dir, 'host-id')).mode & 0o777, 0o600)
  writeFileSync(join(dir, 'host-id'), 'x')
  await t.rejects(hostId(dir), { code: 'bad_config', message: /holds no host id: remove it/ })
  t.equal(readFileSync(join(dir, 'host-id'), 'utf8'), 'x')
  await t.rejects(hostId(join(dir, 'nowhere')), { code: 'bad_config' })
})
