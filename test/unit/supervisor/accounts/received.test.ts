import t from 'tap'
import { newMessages, type Received } from '../../../../supervisor/accounts/received.ts'

const batch = (stream: string, ...sequences: number[]): Parameters<typeof newMessages>[1] => ({
  type: 'messages',
  stream,
  messages: sequences.map((sequence) => ({ sequence, id: `M${sequence}`, atMs: sequence })),
})

const TABLE: [title: string, Received | null, ReturnType<typeof batch>, expected: number[]][] = [
  ['the first ever', null, batch('a', 1, 2), [1, 2]],
  ['those of an earlier supervisor, told again', null, batch('a', 7, 8), [7, 8]],
  ['the next ones', { stream: 'a', sequence: 2 }, batch('a', 3, 5), [3, 5]],
  ['a worker that does not know what arrived', { stream: 'a', sequence: 4 }, batch('a', 3, 4, 5), [5]],
  ['nothing new', { stream: 'a', sequence: 5 }, batch('a', 4, 5), []],
  ['a new session begins at one', { stream: 'a', sequence: 900 }, batch('b', 1), [1]],
]

for (const [title, received, message, expected] of TABLE) {
  t.test(title, async (t) => {
    t.strictSame(
      newMessages(received, message).map(({ sequence }) => sequence),
      expected,
    )
  })
}
