import fc from 'fast-check'
import t from 'tap'
import { Inbox, type Addition, type InboxRecord } from '../../../../worker/core/inbox.ts'

t.test('a message has one number, and stands in one batch until it is taken', async (t) => {
  const inbox = new Inbox('s', [])
  const { record, forget } = inbox.add('a', 'A', 5)
  t.strictSame(record, { stream: 's', sequence: 1, id: 'A', stanza: 'a', atMs: 5, taken: 0 })
  t.strictSame(forget, [])
  t.ok(inbox.holds('a') && inbox.isUnderWay('a'), 'known from the first moment')
  t.strictSame(inbox.next(10), [], 'but told to nobody before it is durable')
  inbox.committed(1)
  t.ok(inbox.holds('a') && !inbox.isUnderWay('a'))
  t.strictSame(inbox.next(10), [{ sequence: 1, id: 'A', atMs: 5 }])
  inbox.take(1)
  t.strictSame(inbox.next(10), [])
  t.equal(inbox.add('b', 'B', 6).record.taken, 1, 'what was taken is written down with the next one')
})

t.test('nothing is told before all with a smaller number are durable, or will never be', async (t) => {
  const inbox = new Inbox('s', [])
  for (const id of ['a', 'b', 'c']) inbox.add(id, id, 0)
  inbox.committed(2)
  inbox.committed(3)
  t.strictSame(inbox.next(10), [])
  inbox.abandoned(1)
  t.notOk(inbox.holds('a'), 'what was not written is read again when it comes again')
  t.strictSame(
    inbox.next(10).map(({ sequence }) => sequence),
    [2, 3],
  )
  t.equal(inbox.add('a', 'a', 0).record.sequence, 4, 'a number is used once')
})

t.test('the oldest that were taken are forgotten, what was not taken never', async (t) => {
  const inbox = new Inbox('s', [], 3)
  const add = (id: string): Addition => {
    const addition = inbox.add(id, id, 0)
    inbox.committed(addition.record.sequence)
    return addition
  }
  for (const id of ['a', 'b', 'c', 'd', 'e']) t.strictSame(add(id).forget, [])
  inbox.take(4)
  t.strictSame(add('f').forget, [1, 2, 3])
  t.notOk(inbox.holds('c'))
  t.ok(inbox.holds('d'))
  t.equal(inbox.untaken, 2)
})

t.test('a session without an inbox begins a stream of its own, one with an inbox goes on with it', async (t) => {
  const { record } = new Inbox('first', []).add('a', 'A', 0)
  const next = new Inbox('second', [record])
  t.equal(next.stream, 'first')
  t.equal(next.add('b', 'B', 0).record.sequence, 2)
})

/** More than come in between the first delivery of a message and its receipt: three at a time, in any order. */
const KEPT = 6

/** A disk, a worker that may die at any moment, a server that delivers until it has a receipt, a supervisor with a memory. */
class World {
  readonly disk = new Map<number, InboxRecord>()
  readonly seen = new Map<number, string>()
  readonly confirmed = new Set<string>()
  inbox = new Inbox('s', [], KEPT)
  last = 0
  underWay: Addition[] = []
  batch: { sequence: number; id: string }[] = []

  deliver(id: string): void {
    if (this.confirmed.has(id)) return
    if (this.underWay.some(({ record }) => record.id === id)) return
    if (!this.inbox.holds(id)) {
      this.underWay.push(this.inbox.add(id, id, 0))
    } else {
      this.confirmed.add(id)
    }
  }

  /** The write of one of those under way, not always of the oldest. */
  commit(which: number): void {
    const [addition] = this.underWay.splice(which % Math.max(1, this.underWay.length), 1)
    if (addition === undefined) return
    const { record, forget } = addition
    this.disk.set(record.sequence, record)
    for (const sequence of forget) this.disk.delete(sequence)
    this.inbox.committed(record.sequence)
  }

  pull(): void {
    this.batch = this.inbox.next(3)
    for (const { sequence, id } of this.batch) {
      const known = this.seen.get(sequence)
      if (known !== undefined && known !== id) throw new Error(`${sequence} is ${known} and ${id}`)
      if (known === undefined && sequence <= this.last) throw new Error(`${sequence} comes after ${this.last}`)
      this.seen.set(sequence, id)
      this.last = Math.max(this.last, sequence)
    }
  }

  acknowledge(): void {
    const last = this.batch.at(-1)
    if (last !== undefined) this.inbox.take(last.sequence)
    this.batch = []
  }

  kill(): void {
    this.underWay = []
    this.batch = []
    this.inbox = new Inbox('never', [...this.disk.values()], KEPT)
  }
}

t.test('whatever is killed when: each message that has a receipt was told under one number, once', async () => {
  const op = fc.record({
    op: fc.constantFrom('deliver', 'deliver', 'deliver', 'commit', 'commit', 'pull', 'acknowledge', 'kill'),
    n: fc.nat(8),
  })
  fc.assert(
    fc.property(fc.array(op, { maxLength: 120, size: 'max' }), (ops) => {
      const world = new World()
      // The server delivers what has no receipt in order; what is far behind has long been confirmed.
      const oldest = (): number => {
        let at = 0
        while (world.confirmed.has(`m${at}`)) at++
        return at
      }
      for (const { op, n } of ops) {
        switch (op) {
          case 'deliver':
            world.deliver(`m${oldest() + (n % 3)}`)
            break
          case 'commit':
            world.commit(n)
            break
          default:
            world[op]()
        }
      }
      for (let i = 0; i < 100; i++) {
        world.commit(0)
        world.pull()
        world.acknowledge()
      }
      const told = [...world.seen.values()]
      if (new Set(told).size !== told.length) throw new Error(`twice: ${told.join(' ')}`)
      for (const id of world.confirmed) if (!told.includes(id)) throw new Error(`${id} was confirmed and never told`)
    }),
    { numRuns: 2000 },
  )
})
