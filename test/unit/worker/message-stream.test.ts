import t from 'tap'
import type { FromWorker } from '../../../shared/ipc.ts'
import { Inbox } from '../../../worker/core/inbox.ts'
import { MessageStream } from '../../../worker/message-stream.ts'
import { settle } from '../../fixtures/manual-clock.ts'

type Sent = Extract<FromWorker, { type: 'messages' }>

function streamWith(count: number): {
  stream: MessageStream
  sent: Sent[]
  receive: (from: number, to: number) => void
} {
  const sent: Sent[] = []
  const stream = new MessageStream({
    inbox: new Inbox('s', []),
    nowMs: () => 5,
    onMessage: () => undefined,
    send: async (message) => void sent.push(message),
  })
  const receive = (from: number, to: number): void => {
    for (let n = from; n <= to; n++) stream.committed(stream.add(`m${n}`, `M${n}`).record.sequence)
  }
  receive(1, count)
  return { stream, sent, receive }
}

t.test('one batch at a time, of a hundred at most', async (t) => {
  const { stream, sent } = streamWith(250)
  t.strictSame(sent, [{ type: 'messages', stream: 's', messages: [{ sequence: 1, id: 'M1', atMs: 5 }] }])
  stream.taken('s', 1)
  t.equal(sent[1]?.messages.length, 100)
  stream.taken('other', 101)
  t.equal(sent.length, 2, 'another stream was meant')
  stream.taken('s', 101)
  stream.taken('s', 201)
  t.strictSame(
    sent.map(({ messages }) => messages.at(-1)?.sequence),
    [1, 101, 201, 250],
  )
  stream.taken('s', 250)
  t.equal(sent.length, 4)
})

t.test(
  'a supervisor that takes nothing stops the reading of messages, not the keeping of those that were read',
  async (t) => {
    const { stream, sent, receive } = streamWith(9_999)
    let room = 0
    await stream.room()
    receive(10_000, 10_000)
    void stream.room().then(() => room++)
    await settle()
    t.equal(room, 0)
    stream.taken('s', sent[0]?.messages.at(-1)?.sequence ?? 0)
    await settle()
    t.equal(room, 1)
  },
)

t.test('it is drained when the supervisor has everything', async (t) => {
  const { stream } = streamWith(2)
  let drained = false
  void stream.drained().then(() => (drained = true))
  stream.taken('s', 1)
  await settle()
  t.equal(drained, false)
  stream.taken('s', 2)
  await settle()
  t.equal(drained, true)
})

t.test('whether a message was taken in is said when it is on the disk, or never will be', async (t) => {
  for (const ending of ['committed', 'abandoned'] as const) {
    const { stream } = streamWith(0)
    t.equal(await stream.holds('m'), false)
    const { record } = stream.add('m', 'M')
    let answer: boolean | undefined
    void stream.holds('m').then((held) => (answer = held))
    stream.committed(stream.add('other', 'O').record.sequence)
    await settle()
    t.equal(answer, undefined)
    stream[ending](record.sequence)
    await settle()
    t.equal(answer, ending === 'committed')
  }
})
