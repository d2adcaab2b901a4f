import t from 'tap'
import { CLIENT_HEADER, encodeFrame, FrameReader, FramingError } from '../../simulator/frames.ts'

const ROUTING = Buffer.from('routing')
const STREAM = Buffer.concat([
  CLIENT_HEADER,
  encodeFrame(Buffer.from('one')),
  encodeFrame(Buffer.alloc(0)),
  encodeFrame(Buffer.from('two')),
])
const ROUTED = Buffer.concat([Buffer.of(0x45, 0x44, 0, 1, 0, 0, ROUTING.length), ROUTING, STREAM])

const readAll = (chunks: Buffer[]): string[] => {
  const reader = new FrameReader()
  return chunks.flatMap((chunk) => reader.push(chunk)).map(String)
}

await t.test('cuts a stream into frames, however it arrives', async (t) => {
  for (const stream of [STREAM, ROUTED]) {
    t.strictSame(readAll([stream]), ['one', '', 'two'])
    t.strictSame(readAll([...stream].map((byte) => Buffer.of(byte))), ['one', '', 'two'])
    for (let cut = 0; cut <= stream.length; cut++) {
      t.strictSame(readAll([stream.subarray(0, cut), stream.subarray(cut)]), ['one', '', 'two'])
    }
  }
})

await t.test('refuses a stream of another protocol', async (t) => {
  for (const start of ['GET / HTTP/1.1', 'WA\u0005\u0003', 'EDxx']) {
    t.throws(() => new FrameReader().push(Buffer.from(start)), FramingError, start)
  }
})

await t.test('a frame has less than 16 MiB', async (t) => {
  t.equal(encodeFrame(Buffer.alloc((1 << 24) - 1)).length, (1 << 24) | 2)
  t.throws(() => encodeFrame(Buffer.alloc(1 << 24)), FramingError)
})
