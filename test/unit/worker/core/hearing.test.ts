import fc from 'fast-check'
import t from 'tap'
import { Hearing } from '../../../../worker/core/hearing.ts'

type Step =
  ['arrived' | 'told' | 'owes' | 'delivered', atMs: number] | ['settled', atMs: number, ticket: number, good?: false]

const TABLE: [title: string, steps: Step[], unheardSinceMs: number | null][] = [
  ['nothing came', [], null],
  ['a message waits to be read', [['arrived', 5]], 5],
  [
    'several wait: since the oldest',
    [
      ['arrived', 5],
      ['arrived', 7],
    ],
    5,
  ],
  [
    'read, but not told',
    [
      ['arrived', 5],
      ['settled', 6, 1],
    ],
    6,
  ],
  [
    'read and told',
    [
      ['arrived', 5],
      ['settled', 6, 1],
      ['told', 8],
    ],
    null,
  ],
  [
    'could not be read: Baileys may say nothing',
    [
      ['arrived', 5],
      ['settled', 6, 1, false],
    ],
    null,
  ],
  [
    'the second hangs: since the first was done',
    [
      ['arrived', 5],
      ['arrived', 6],
      ['settled', 9, 1],
      ['told', 9],
    ],
    9,
  ],
  [
    'one that Baileys dropped is over with the next one',
    [
      ['arrived', 5],
      ['arrived', 6],
      ['settled', 9, 2],
      ['told', 9],
    ],
    null,
  ],
  [
    'read twice, told never: since the first',
    [
      ['arrived', 5],
      ['settled', 6, 1],
      ['arrived', 7],
      ['settled', 8, 2],
    ],
    6,
  ],
  ['an event without a message before it', [['told', 3]], null],
  [
    'WhatsApp does not deliver: since it was first known',
    [
      ['owes', 5],
      ['owes', 7],
    ],
    5,
  ],
  [
    'it does after all',
    [
      ['owes', 5],
      ['delivered', 6],
    ],
    null,
  ],
  [
    'it did before it was asked again',
    [
      ['delivered', 5],
      ['owes', 6],
    ],
    null,
  ],
  [
    'a message came all the same',
    [
      ['owes', 5],
      ['told', 6],
    ],
    null,
  ],
  [
    'the end of one that was over already',
    [
      ['arrived', 5],
      ['arrived', 6],
      ['settled', 7, 2, false],
      ['settled', 8, 1, false],
    ],
    null,
  ],
]

for (const [title, steps, expected] of TABLE) {
  t.test(title, async (t) => {
    const hearing = new Hearing()
    for (const [what, atMs, ticket = 0, good = true] of steps) {
      if (what === 'settled') hearing.settled(ticket, good, atMs)
      else if (what === 'delivered') hearing.delivered()
      else if (what === 'arrived') hearing.arrived(atMs, false)
      else hearing[what](atMs)
    }
    t.equal(hearing.unheardSinceMs, expected)
  })
}

t.test('when it last heard', async (t) => {
  const hearing = new Hearing()
  t.equal(hearing.lastHeardMs, null)
  hearing.told(4)
  t.equal(hearing.lastHeardMs, 4)
})

t.test('whose messages are all told of is never waiting, whatever their order', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 50 }), (batches) => {
      const hearing = new Hearing()
      let nowMs = 0
      for (const [count, good] of batches) {
        const tickets = Array.from({ length: count }, () => hearing.arrived(nowMs++, false))
        for (const ticket of tickets) hearing.settled(ticket, good, nowMs++)
        if (count > 0 && hearing.unheardSinceMs === null && good) throw new Error('a message without an event')
        hearing.told(nowMs++)
        if (hearing.unheardSinceMs !== null) throw new Error(`waits since ${hearing.unheardSinceMs}`)
      }
    }),
  )
})

t.test('has a backlog until the last that was queued is read, or one after it', async (t) => {
  const hearing = new Hearing()
  const read = (ticket: number): void => hearing.settled(ticket, true, ticket)
  t.equal(hearing.hasBacklog, false)
  const live = hearing.arrived(1, false)
  t.equal(hearing.hasBacklog, false, 'what is read at once is no backlog')
  read(live)
  const [first, second] = [hearing.arrived(2, true), hearing.arrived(3, true)]
  t.equal(hearing.hasBacklog, true)
  read(first)
  const behind = hearing.arrived(4, hearing.hasBacklog)
  read(second)
  t.equal(hearing.hasBacklog, true, 'what came meanwhile is in the queue as well')
  read(behind)
  t.equal(hearing.hasBacklog, false)

  hearing.arrived(5, true)
  const after = hearing.arrived(6, hearing.hasBacklog)
  read(after)
  t.equal(hearing.hasBacklog, false, 'one that Baileys dropped holds nobody for ever')
})
