import { createHash, createPrivateKey, createPublicKey, randomBytes, randomInt } from 'node:crypto'
import * as stock from 'curve25519-js'
import t, { type Test } from 'tap'
import * as standIn from '../../../../worker/bundle/curve25519.ts'

const ROUNDS = 25
/** Of the group, a prime. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n
/** What stands before the seed of an Ed25519 private key in DER (RFC 8410). */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

interface Signed {
  publicKey: Uint8Array
  message: Buffer
  signature: Uint8Array
}

function signed(): Signed {
  const { public: publicKey, private: privateKey } = stock.generateKeyPair(randomBytes(32))
  const message = randomBytes(randomInt(200))
  const random = randomInt(2) === 0 ? undefined : randomBytes(64)
  return { publicKey, message, signature: stock.sign(privateKey, message, random) }
}

function withBitFlipped(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes)
  const at = randomInt(copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << randomInt(8))
  return copy
}

function sameAnswer(t: Test, { publicKey, message, signature }: Signed, wanted?: boolean): void {
  const answer = stock.verify(publicKey, message, signature)
  if (wanted !== undefined && answer !== wanted) t.fail('the input is not what the test wants it to be')
  if (standIn.verify(publicKey, message, signature) !== answer) {
    t.fail('another answer than curve25519-js', { input: { publicKey, message, signature }, answer })
  }
}

await t.test('what is signed is taken, and nothing that was changed in any bit', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const good = signed()
    sameAnswer(t, good, true)
    sameAnswer(t, { ...good, signature: withBitFlipped(good.signature) }, false)
    sameAnswer(t, { ...good, message: Buffer.concat([good.message, Buffer.of(0)]) }, false)
    // The top bit of a key counts for neither.
    sameAnswer(t, { ...good, publicKey: withBitFlipped(good.publicKey) })
  }
  t.pass()
})

await t.test('keys at the ends of the field, and keys that are no point of the curve', async (t) => {
  const { message, signature } = signed()
  const p = 2n ** 255n - 19n
  for (const u of [0n, 1n, 2n, p - 2n, p - 1n, p, p + 1n, 2n ** 255n - 1n, 2n ** 256n - 1n]) {
    const publicKey = Buffer.from(u.toString(16).padStart(64, '0'), 'hex').reverse()
    sameAnswer(t, { publicKey, message, signature })
  }
  for (let round = 0; round < ROUNDS; round++) sameAnswer(t, { publicKey: randomBytes(32), message, signature }, false)
  t.pass()
})

await t.test('a signature that is right under a key of low order', async (t) => {
  // u = 0 is the point of order 2: where the hash is even, R = S * B is all that is asked for.
  const publicKey = Buffer.alloc(32)
  const seed = randomBytes(32)
  const key = createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const point = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32)
  scalar[0] = (scalar[0] ?? 0) & 248
  scalar[31] = ((scalar[31] ?? 0) & 127) | 64
  const half = BigInt(`0x${scalar.reverse().toString('hex')}`) % ORDER
  const signature = Buffer.concat([point, Buffer.from(half.toString(16).padStart(64, '0'), 'hex').reverse()])
  const answers = new Set<boolean>()
  for (let round = 0; round < ROUNDS; round++) {
    const message = randomBytes(20)
    sameAnswer(t, { publicKey, message, signature })
    answers.add(standIn.verify(publicKey, message, signature))
  }
  t.equal(answers.size, 2, 'right for some messages, wrong for others')
})

await t.test('a second writing of a signature is not taken', async (t) => {
  const { publicKey, message, signature } = signed()
  const half = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`)
  const sign = half >> 255n
  const other = BigInt.asUintN(255, half) + ORDER
  const writing = Buffer.from(((sign << 255n) | other).toString(16).padStart(64, '0'), 'hex').reverse()
  const second = Buffer.concat([signature.subarray(0, 32), writing])
  t.equal(stock.verify(publicKey, message, second), true, 'which curve25519-js does')
  t.equal(standIn.verify(publicKey, message, second), false)
})

await t.test('other lengths are errors, as before', async (t) => {
  const { publicKey, message, signature } = signed()
  for (const { verify } of [stock, standIn]) {
    t.throws(() => verify(publicKey.subarray(1), message, signature), /wrong public key length/)
    t.throws(() => verify(publicKey, message, signature.subarray(1)), /wrong signature length/)
  }
})

await t.test('everything else is curve25519-js', async (t) => {
  for (const name of ['generateKeyPair', 'openMessage', 'sharedKey', 'sign', 'signMessage'] as const) {
    t.equal(standIn[name], stock[name], name)
  }
})
