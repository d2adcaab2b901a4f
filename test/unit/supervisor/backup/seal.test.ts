import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { openArchive, parseKeyRing, sealArchive } from '../../../../supervisor/backup/seal.ts'
import { BackupError, type SealedArchive } from '../../../../supervisor/backup/target.ts'

const KEYS = Array.from({ length: 3 }, () => randomBytes(32).toString('base64'))
const [KEY = '', OTHER_KEY = '', OLD_KEY = ''] = KEYS
const RING = parseKeyRing(KEY, [])
const ACCOUNT = 'account_prod_0123456789ab'

const sealed = (bytes: Uint8Array, rev = 7): SealedArchive =>
  sealArchive(RING, { accountId: ACCOUNT, rev, sessionRevision: 41, savedAtMs: 1_700_000_000_000, bytes })

/** The BackupError that opening ends with; fails the test when it opens. */
function refusal(archive: SealedArchive, ring = RING, accountId = ACCOUNT): BackupError {
  try {
    openArchive(ring, accountId, archive)
  } catch (error) {
    if (error instanceof BackupError) return error
    throw error
  }
  throw new Error('It opened.')
}

t.test('opens what was sealed, whatever its size', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      t.ok(openArchive(RING, ACCOUNT, sealed(bytes)).equals(bytes))
    }),
    { numRuns: 100 },
  )
  const large = randomBytes(3_000_000)
  t.ok(openArchive(RING, ACCOUNT, sealed(large)).equals(large))
})

t.test('says what it is: sizes, revisions, and which key', async (t) => {
  const archive = sealed(Buffer.alloc(100_000, 'a'))
  t.match(archive, { rev: 7, sessionRevision: 41, savedAtMs: 1_700_000_000_000, plainBytes: 100_000 })
  t.equal(archive.sealedBytes, archive.sealed.length)
  t.ok(archive.sealedBytes < 1000, 'compressed')
  t.equal(archive.keyId, RING.current.id)
  t.match(archive.keyId, /^[0-9a-f]{16}$/)
})

t.test('hours are whole milliseconds, as the target keeps them', async (t) => {
  const plain = { accountId: ACCOUNT, rev: 1, sessionRevision: 1, savedAtMs: 1234.75, bytes: Buffer.from('session') }
  const archive = sealArchive(RING, plain)
  t.equal(archive.savedAtMs, 1234)
  t.equal(openArchive(RING, ACCOUNT, archive).toString(), 'session')
})

t.test('two seals of the same bytes have nothing in common but their header', async (t) => {
  const bytes = Buffer.from('the same session')
  const [one, other] = [sealed(bytes).sealed, sealed(bytes).sealed]
  t.ok(one.subarray(0, 12).equals(other.subarray(0, 12)))
  t.notOk(one.subarray(12, 24).equals(other.subarray(12, 24)), 'the iv')
  t.notOk(one.subarray(24).equals(other.subarray(24)))
})

t.test('a flipped bit, anywhere, is refused', async (t) => {
  const archive = sealed(Buffer.from('a small session'))
  for (let bit = 0; bit < archive.sealed.length * 8; bit++) {
    const changed = Buffer.from(archive.sealed)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    const { code } = refusal({ ...archive, sealed: changed })
    // In the key's id it is another key that would be needed.
    const wanted = bit >> 3 >= 4 && bit >> 3 < 12 ? 'wrong_key' : 'damaged'
    if (code !== wanted) t.equal(code, wanted, `bit ${bit}`)
  }
  t.pass('all of them')
})

t.test('what is cut off, appended, or no archive at all is refused', async (t) => {
  const archive = sealed(randomBytes(2000))
  fc.assert(
    fc.property(fc.nat({ max: archive.sealed.length - 1 }), (length) => {
      t.equal(refusal({ ...archive, sealed: archive.sealed.subarray(0, length) }).code, 'damaged')
    }),
    { numRuns: 100 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (more) => {
      t.equal(refusal({ ...archive, sealed: Buffer.concat([archive.sealed, more]) }).code, 'damaged')
      t.not(refusal({ ...archive, sealed: Buffer.from(more) }).code, undefined)
    }),
    { numRuns: 100 },
  )
})

t.test('of another account, as another revision or of another hour it is refused', async (t) => {
  const archive = sealed(Buffer.from('session'))
  t.equal(refusal(archive, RING, 'account_prod_ba9876543210').code, 'damaged')
  t.equal(refusal({ ...archive, rev: 9 }).code, 'damaged')
  t.equal(refusal({ ...archive, sessionRevision: 42 }).code, 'damaged')
  t.equal(refusal({ ...archive, savedAtMs: archive.savedAtMs + 1 }).code, 'damaged')
})

t.test('a key that is not configured is named by its id, and nothing else of it is', async (t) => {
  const archive = sealed(Buffer.from('session'))
  const error = refusal(archive, parseKeyRing(OTHER_KEY, [OLD_KEY]))
  t.equal(error.code, 'wrong_key')
  for (const part of [ACCOUNT, 'revision 7', archive.keyId]) t.ok(error.message.includes(part), part)
  for (const key of KEYS) t.notOk(error.message.includes(key))
  // The right id on a wrong key: the tag does not hold.
  const disguised = Buffer.from(archive.sealed)
  disguised.write(parseKeyRing(OTHER_KEY, []).current.id, 4, 'hex')
  t.equal(refusal({ ...archive, sealed: disguised }, parseKeyRing(OTHER_KEY, [])).code, 'damaged')
})

t.test('after a rotation the old key opens, and the new one seals', async (t) => {
  const before = sealed(Buffer.from('before'))
  const rotated = parseKeyRing(OTHER_KEY, ['', OLD_KEY, KEY])
  t.equal(openArchive(rotated, ACCOUNT, before).toString(), 'before')
  const after = sealArchive(rotated, { ...before, accountId: ACCOUNT, bytes: Buffer.from('after') })
  t.equal(after.keyId, parseKeyRing(OTHER_KEY, []).current.id)
  t.equal(refusal(after).code, 'wrong_key')
})

t.test('a key is 32 bytes in base64, with white space around it or not', async (t) => {
  t.equal(parseKeyRing(`  ${KEY}\n`, []).current.id, RING.current.id)
  t.strictSame(parseKeyRing(KEY, ['', ' ']).older, [])
})

t.test('any other text is refused with the remedy and without the text', async (t) => {
  const wrong = [
    '',
    'hunter2',
    randomBytes(16).toString('base64'),
    randomBytes(33).toString('base64'),
    randomBytes(32).toString('hex'),
    `${KEY.slice(0, 20)} ${KEY.slice(20)}`,
    KEY.slice(0, -1),
    `${KEY}=`,
    `*${KEY}`,
  ]
  for (const text of wrong) {
    for (const [parse, name] of [
      [() => parseKeyRing(text, []), 'The backup key'],
      [() => parseKeyRing(KEY, [KEY, `${text} x`]), 'Old backup key 2 of 2'],
    ] as const) {
      let message = ''
      try {
        parse()
      } catch (error) {
        message = error instanceof Error ? error.message : ''
      }
      t.ok(message.startsWith(name), `${name}: ${message}`)
      t.match(message, /openssl rand -base64 32/)
      if (text !== '') t.notOk(message.includes(text))
    }
  }
})
