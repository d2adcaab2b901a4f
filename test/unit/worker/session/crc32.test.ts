import t from 'tap'
import { crc32, crc32Table } from '../../../../worker/session/crc32.ts'

const TABLE: [string, number][] = [
  ['', 0],
  // The check value of CRC-32/ISO-HDLC.
  ['123456789', 0xcbf43926],
  ['The quick brown fox jumps over the lazy dog', 0x414fa339],
]

t.test('gives the published checksums, by zlib and by the table', async (t) => {
  for (const [text, expected] of TABLE) {
    t.equal(crc32(Buffer.from(text)), expected)
    t.equal(crc32Table(Buffer.from(text)), expected)
  }
})

t.test('the table agrees with zlib from any start', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, at) => (at * 7919) & 0xff))
  for (const start of [0, 1, 0x80000000, 0xffffffff]) t.equal(crc32Table(bytes, start), crc32(bytes, start))
})
