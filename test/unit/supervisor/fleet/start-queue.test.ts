import fc from 'fast-check'
import t from 'tap'
import { StartQueue } from '../../../../supervisor/fleet/start-queue.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

function started(slots: number) {
  const clock = new ManualClock({ startMs: 1000 })
  const turns: [string, number][] = []
  const queue = new StartQueue(slots, clock, (id) => turns.push([id, clock.monotonicMs()]))
  return { clock, queue, turns, names: () => turns.map(([id]) => id) }
}

t.test('no more than the slots at a time, in the order of asking', async (t) => {
  const { queue, names } = started(2)
  for (const id of ['a', 'b', 'c', 'd']) queue.enqueue(id, 0)
  t.strictSame(names(), ['a', 'b'])
  queue.leave('b')
  t.strictSame(names(), ['a', 'b', 'c'])
  queue.leave('b')
  t.strictSame(names(), ['a', 'b', 'c'], 'one slot is freed once')
  queue.leave('a')
  t.strictSame(names(), ['a', 'b', 'c', 'd'])
})

t.test('nobody before its hour; who may start is not held up by who may not', async (t) => {
  const { clock, queue, turns } = started(2)
  queue.enqueue('late', 5000)
  queue.enqueue('now', 1000)
  queue.enqueue('soon', 2000)
  t.strictSame(turns, [['now', 1000]])
  clock.advance(10_000)
  t.strictSame(turns, [
    ['now', 1000],
    ['soon', 2000],
  ])
  queue.leave('now')
  t.strictSame(turns.at(-1), ['late', 11_000], 'its hour came while the slots were taken')
})

t.test('asking twice is asking once, with the first hour', async (t) => {
  const { clock, queue, turns } = started(1)
  queue.enqueue('a', 3000)
  queue.enqueue('a', 1000)
  clock.advance(1999)
  t.strictSame(turns, [])
  clock.advance(1)
  t.strictSame(turns, [['a', 3000]])
  clock.advance(10_000)
  t.equal(turns.length, 1)
})

t.test('whom a person waits for does not wait for its hour, but for a slot', async (t) => {
  const { queue, names } = started(2)
  for (const id of ['a', 'b', 'c', 'd']) queue.enqueue(id, 600_000)
  for (const id of ['d', 'c', 'b', 'nobody']) queue.hasten(id)
  t.strictSame(names(), ['d', 'c'])
  queue.leave('d')
  t.strictSame(names(), ['d', 'c', 'b'])
  queue.leave('c')
  t.strictSame(names(), ['d', 'c', 'b'], 'the others keep their hour')
  queue.stop()
})

t.test('who leaves while waiting is not started', async (t) => {
  const { clock, queue, names } = started(1)
  for (const id of ['a', 'b', 'c']) queue.enqueue(id, 2000)
  queue.leave('b')
  clock.advance(1000)
  queue.leave('a')
  t.strictSame(names(), ['a', 'c'])
})

t.test('a start that asks again gives its slot back and goes to the end', async (t) => {
  const { queue, names } = started(1)
  queue.enqueue('a', 0)
  queue.enqueue('b', 0)
  queue.enqueue('a', 0)
  t.strictSame(names(), ['a', 'b'])
  queue.leave('b')
  t.strictSame(names(), ['a', 'b', 'a'])
})

t.test('after stop nothing starts and no timer is left', async (t) => {
  const { clock, queue, names } = started(1)
  queue.enqueue('a', 2000)
  queue.stop()
  queue.stop()
  t.equal(clock.pending, 0)
  clock.advance(10_000)
  queue.leave('a')
  t.strictSame(names(), [])
})

t.test('whatever happens: never more than the slots, everybody has a turn, one timer at most', async () => {
  const op = fc.record({ op: fc.constantFrom('enqueue', 'enqueue', 'leave', 'pass'), id: fc.nat(8), ms: fc.nat(5000) })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(op, { maxLength: 80, size: 'max' }), (slots, ops) => {
      const clock = new ManualClock()
      const starting = new Set<string>()
      const waiting = new Map<string, number>()
      const queue: StartQueue = new StartQueue(slots, clock, (id) => {
        const notBeforeMs = waiting.get(id)
        if (notBeforeMs === undefined || !waiting.delete(id)) throw new Error(`${id} did not wait`)
        if (clock.monotonicMs() < notBeforeMs) throw new Error(`${id} before its hour`)
        starting.add(id)
        if (starting.size > slots) throw new Error('too many at once')
        // Every third start fails at once, as a fork does without memory.
        if (clock.monotonicMs() % 3 === 0) leave(id)
      })
      const leave = (id: string): void => {
        starting.delete(id)
        waiting.delete(id)
        queue.leave(id)
      }
      for (const { op, id, ms } of ops) {
        const account = `a${id}`
        if (op === 'pass') clock.advance(ms)
        else if (op === 'leave') leave(account)
        else {
          starting.delete(account)
          const hourMs = clock.monotonicMs() + ms
          if (!waiting.has(account)) waiting.set(account, hourMs)
          queue.enqueue(account, hourMs)
        }
        if (starting.size < slots && [...waiting.values()].some((hourMs) => hourMs <= clock.monotonicMs())) {
          throw new Error('a free slot and somebody who may start')
        }
      }
      for (let i = 0; i < 20; i++) {
        for (const id of [...starting]) leave(id)
        clock.advance(5000)
      }
      if (waiting.size > 0) throw new Error(`${[...waiting.keys()].join()} never started`)
      for (const id of [...starting]) leave(id)
      queue.stop()
      if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
    }),
    { numRuns: 300 },
  )
})
