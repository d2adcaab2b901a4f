import t from 'tap'
import { LRUCache } from '../../../../worker/bundle/lru-cache.ts'

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

t.test('keeps no timer for an entry, also where Baileys asks for one', async (t) => {
  const before = timers()
  const cache = new LRUCache<string, number>({ ttl: 3 * 24 * 60 * 60 * 1000, ttlAutopurge: true, updateAgeOnGet: true })
  for (let at = 0; at < 100; at++) cache.set(`contact ${at}`, at)
  t.equal(timers(), before)
  t.equal(cache.get('contact 7'), 7)
})

t.test('is bounded where Baileys names no bound, and within its bound where it does', async (t) => {
  const unbounded = new LRUCache<number, number>({ ttl: 1000, ttlAutopurge: true })
  for (let at = 0; at < 10_000; at++) unbounded.set(at, at)
  t.equal(unbounded.size, 4096)
  t.equal(unbounded.get(9_999), 9_999)
  const bounded = new LRUCache<number, number>({ max: 512, ttl: 1000, ttlAutopurge: true })
  for (let at = 0; at < 1000; at++) bounded.set(at, at)
  t.equal(bounded.size, 512)
})

t.test('forgets what is older than its time', async (t) => {
  let nowMs = 1
  const cache = new LRUCache<string, number>({
    ttl: 1000,
    ttlAutopurge: true,
    ttlResolution: 0,
    perf: { now: () => nowMs },
  })
  cache.set('a', 1)
  nowMs += 500
  t.equal(cache.get('a'), 1)
  nowMs += 501
  t.equal(cache.get('a'), undefined)
})

t.test('tells of what goes, as Baileys counts on', async (t) => {
  const gone: string[] = []
  const cache = new LRUCache<string, number>({
    max: 1,
    ttl: 1000,
    ttlAutopurge: true,
    dispose: (_value, key) => gone.push(key),
  })
  cache.set('a', 1)
  cache.set('b', 2)
  t.strictSame(gone, ['a'])
})
