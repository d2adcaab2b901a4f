import t from 'tap'
import { EventRing } from '../../../../supervisor/core/event-ring.ts'

const framesAfter = (ring: EventRing, id: string): string[] | undefined =>
  ring.since(id)?.map((entry) => ('frame' in entry ? entry.frame : `qr ${entry.qrOf}`))

t.test('an event is what the HTML standard says', async (t) => {
  const ring = new EventRing('boot')
  t.equal(ring.lastId, 'boot-0')
  t.equal(ring.push('a.b', '{"x":1}'), 'id: boot-1\nevent: a.b\ndata: {"x":1}\n\n')
  t.equal(ring.lastId, 'boot-1')
})

t.test('what came after an event is known, oldest first; of QR codes only whose they were', async (t) => {
  const ring = new EventRing('boot')
  const frames = [ring.push('e', '1'), ring.push('e', '2')]
  t.equal(ring.pushQr('x'), 'boot-3')
  frames.push(ring.push('e', '4'))
  t.strictSame(framesAfter(ring, 'boot-0'), [frames[0], frames[1], 'qr x', frames[2]])
  t.strictSame(framesAfter(ring, 'boot-2'), ['qr x', frames[2]])
  t.strictSame(framesAfter(ring, 'boot-4'), [])
})

t.test('what is not known is not made up', async (t) => {
  const ring = new EventRing('boot', { mostEvents: 3, mostChars: 1000 })
  for (let i = 1; i <= 5; i++) ring.push('e', String(i))
  for (const id of [
    'boot-0',
    'boot-1',
    'boot-6',
    'other-4',
    'boot-',
    'boot-x',
    '',
    'boot--4',
    `boot-${'9'.repeat(30)}`,
  ]) {
    t.equal(ring.since(id), undefined, id)
  }
  t.equal(ring.since('boot-2')?.length, 3)
  t.equal(new EventRing('boot').since('boot-0')?.length, 0, 'nothing has happened yet')
})

t.test('it is bounded by events and by size, and keeps its order for ever', async (t) => {
  const ring = new EventRing('boot', { mostEvents: 100, mostChars: 2000 })
  for (let i = 1; i <= 10_000; i++) {
    ring.push('e', String(i))
    const oldest = ring.since(`boot-${Math.max(0, i - 20)}`)
    if (oldest?.length !== Math.min(i, 20)) t.fail(`after ${i}: ${oldest?.length}`)
  }
  t.equal(ring.since('boot-9900'), undefined, 'by size')
  ring.push('e', 'x'.repeat(5000))
  t.equal(ring.since('boot-10000'), undefined, 'what is larger than all is told once, and not kept')
  t.equal(ring.since('boot-10001')?.length, 0)
})
