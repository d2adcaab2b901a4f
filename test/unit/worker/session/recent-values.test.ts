import t from 'tap'
import { RecentValues } from '../../../../worker/session/recent-values.ts'

const value = (sizeBytes: number, fill: number): Buffer => Buffer.alloc(sizeBytes, fill)

t.test('gives back what was put in last, and nothing that was deleted', async (t) => {
  const recent = new RecentValues(10_000)
  recent.set('a', value(10, 1))
  recent.set('a', value(20, 2))
  recent.set('b', value(10, 3))
  t.strictSame(recent.get('a'), value(20, 2))
  recent.delete('a')
  recent.delete('never there')
  t.equal(recent.get('a'), undefined)
  t.strictSame(recent.get('b'), value(10, 3))
})

t.test('stays within its bytes, and what goes is what was not used for longest', async (t) => {
  const recent = new RecentValues(10_000)
  for (let at = 0; at < 100; at++) {
    recent.set(`key ${at}`, value(1000, at))
    recent.get('key 0')
    t.ok(recent.sizeBytes <= 10_000)
  }
  t.ok(recent.get('key 0'), 'the one that was asked for all the time')
  t.ok(recent.get('key 99'))
  t.equal(recent.get('key 50'), undefined)
  for (let at = 0; at < 100; at++) recent.delete(`key ${at}`)
  t.equal(recent.sizeBytes, 0)
})

t.test('one that is large is not kept, and neither is the one that it replaces', async (t) => {
  const recent = new RecentValues(10_000)
  recent.set('a', value(10, 1))
  recent.set('a', value(5000, 2))
  t.equal(recent.get('a'), undefined)
  t.equal(recent.sizeBytes, 0)
})

t.test('keeps bytes of its own', async (t) => {
  const recent = new RecentValues(10_000)
  const bytes = Buffer.from('as it was written')
  recent.set('a', bytes)
  bytes.fill(0)
  t.equal(recent.get('a')?.toString(), 'as it was written')
  t.equal(recent.get('a')?.buffer.byteLength, 17, 'not a slice of a pool')
})
