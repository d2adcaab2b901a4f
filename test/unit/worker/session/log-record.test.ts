import t from 'tap'
import {
  decodeBody,
  decodeHeader,
  decodeRecordHeader,
  encodeHeader,
  encodeRecord,
  encodingObstacle,
  HEADER_BYTES,
  RECORD_HEADER_BYTES,
  type LogEntry,
} from '../../../../worker/session/log-record.ts'

const HEADER = { salt: 0xdeadbeef, firstSequence: 7, floorSequence: 9 }
const SALT = 4711

const BATCHES: [string, LogEntry[]][] = [
  ['one entry', [{ key: 'session/1.0', value: Buffer.from('{}') }]],
  ['a deletion', [{ key: 'pre-key/1', value: null }]],
  ['an empty value is not a deletion', [{ key: 'a', value: Buffer.alloc(0) }]],
  ['keys outside ASCII', [{ key: 'session/ключ-✓', value: Buffer.from([0, 255]) }]],
  [
    'several',
    Array.from({ length: 50 }, (_, at) => ({ key: `k${at}`, value: at % 3 === 0 ? null : Buffer.alloc(at, at) })),
  ],
]

t.test('a header comes back', async (t) => {
  t.same(decodeHeader(encodeHeader(HEADER)), { kind: 'ok', header: HEADER })
})

t.test('no flipped bit in a header goes unseen', async (t) => {
  for (let bit = 0; bit < HEADER_BYTES * 8; bit++) {
    const bytes = encodeHeader(HEADER)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if (decodeHeader(bytes).kind !== 'bad') t.fail(`bit ${bit}`)
  }
})

t.test('a short header is bad', async (t) => {
  t.equal(decodeHeader(encodeHeader(HEADER).subarray(0, 39)).kind, 'bad')
  t.equal(decodeHeader(Buffer.alloc(0)).kind, 'bad')
})

for (const [name, entries] of BATCHES) {
  t.test(`a record comes back: ${name}`, async (t) => {
    const { bytes, placed } = encodeRecord(SALT, 12, entries)
    const header = decodeRecordHeader(SALT, bytes)
    t.ok(header)
    if (header === undefined) return
    t.equal(header.sequence, 12)
    const body = bytes.subarray(RECORD_HEADER_BYTES)
    t.equal(header.bodyLength, body.length)
    const decoded = decodeBody(SALT, header, body)
    t.same(decoded, placed)
    const values = decoded?.map(({ key, valueOffset, valueLength }) => ({
      key,
      value: valueOffset < 0 ? null : body.subarray(valueOffset, valueOffset + valueLength),
    }))
    t.same(values, entries)
  })
}

t.test('a record of another file, by its salt, is not ours', async (t) => {
  const { bytes } = encodeRecord(SALT, 1, [{ key: 'a', value: Buffer.from('b') }])
  t.equal(decodeRecordHeader(SALT + 1, bytes), undefined)
})

t.test('no flipped bit in a record goes unseen', async (t) => {
  const { bytes } = encodeRecord(SALT, 1, [{ key: 'key', value: Buffer.from('value') }])
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    const header = decodeRecordHeader(SALT, flipped)
    if (header !== undefined && decodeBody(SALT, header, flipped.subarray(RECORD_HEADER_BYTES)) !== undefined)
      t.fail(`bit ${bit}`)
  }
})

t.test('says why entries do not fit', async (t) => {
  t.equal(encodingObstacle([{ key: 'a'.repeat(65_535), value: null }]), undefined)
  t.match(encodingObstacle([{ key: 'a'.repeat(65_536), value: null }]), /65536 bytes/)
})
