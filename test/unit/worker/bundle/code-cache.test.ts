import { chmodSync, chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { leftOutWithout } from '../../../fixtures/machine-tools.ts'
import { cacheKey, readCache, writeCache } from '../../../../worker/bundle/code-cache.ts'

const KEY = cacheKey(Buffer.from('the bundle'))
const DATA = Buffer.from('what V8 made of it')
const OWNER = process.geteuid?.() ?? -1

await t.test('what was written is read again', async (t) => {
  const path = join(t.testdir(), 'cache')
  writeCache(path, KEY, DATA)
  t.strictSame(readCache(path, KEY, OWNER).data, DATA)
  writeCache(path, KEY, Buffer.from('newer'))
  t.strictSame(readCache(path, KEY, OWNER).data, Buffer.from('newer'), 'the old one is replaced')
  t.equal(statSync(path).mode & 0o777, 0o644)
})

await t.test('a cache of another bundle or other flags is none', async (t) => {
  const path = join(t.testdir(), 'cache')
  writeCache(path, KEY, DATA)
  const other = readCache(path, cacheKey(Buffer.from('the bundlf')), OWNER)
  t.match(other, { data: undefined, cause: /another build/ })
})

await t.test('a damaged cache is none, wherever the damage is', async (t) => {
  const path = join(t.testdir(), 'cache')
  writeCache(path, KEY, DATA)
  const whole = readFileSync(path)
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole)
    damaged[at] = (damaged[at] ?? 0) ^ 1
    writeFileSync(path, damaged)
    if (readCache(path, KEY, OWNER).data !== undefined) t.fail(`taken with byte ${at} damaged`)
    writeFileSync(path, whole.subarray(0, at))
    if (readCache(path, KEY, OWNER).data !== undefined) t.fail(`taken when cut at ${at}`)
  }
  writeFileSync(path, whole)
  t.ok(readCache(path, KEY, OWNER).data)
})

await t.test('a cache that others could write is none', async (t) => {
  const path = join(t.testdir(), 'cache')
  writeCache(path, KEY, DATA)
  for (const mode of [0o664, 0o646, 0o666]) {
    chmodSync(path, mode)
    t.match(readCache(path, KEY, OWNER), { data: undefined, cause: 'others can write it' })
  }
})

await t.test(
  "a cache of another user is none, but for the bundle's owner",
  { skip: leftOutWithout('root') },
  async (t) => {
    const path = join(t.testdir(), 'cache')
    writeCache(path, KEY, DATA)
    chownSync(path, 12345, 12345)
    t.match(readCache(path, KEY, OWNER), { data: undefined, cause: 'it belongs to user 12345' })
    t.ok(readCache(path, KEY, 12345).data)
  },
)

await t.test('a cache that is not there is none, and one that can not be written leaves nothing behind', async (t) => {
  const dir = t.testdir({ cache: {} })
  t.match(readCache(join(dir, 'none'), KEY, OWNER), { cause: 'it can not be opened (ENOENT)' })
  t.match(readCache(join(dir, 'cache'), KEY, OWNER), { cause: 'it can not be read (EISDIR)' })
  t.throws(() => writeCache(join(dir, 'cache'), KEY, DATA), { code: 'EISDIR' })
  t.strictSame(readdirSync(dir), ['cache'])
})
