import { createPublicKey, verify as verifyEd25519 } from 'node:crypto'

export { generateKeyPair, openMessage, sharedKey, sign, signMessage } from 'curve25519-js'

/**
 * Stands in for curve25519-js in the bundle: its check of a signature (XEdDSA, https://signal.org/docs/specifications/xeddsa/)
 * runs in JavaScript, for each login twice and for each message in a group once: 5 to 30 ms each, by the machine, and the code that V8
 * makes for it stays. node:crypto checks Ed25519, and an X25519 key is an Ed25519 key in other coordinates. The same answers
 * to all that a signer makes: a test compares both on random input. Signing stays what it was: it needs the private key as a number, which node:crypto
 * does not take; it happens when an account is linked, and when its signed prekey changes.
 *
 * @param publicKey 32 bytes, X25519
 * @param signature 64 bytes; where curve25519-js takes a second writing of a signature (its second half not reduced by the
 *   group's order), this one does not
 * @throws Error for keys and signatures of another length
 */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) throw new Error('wrong signature length')
  if (publicKey.length !== KEY_BYTES) throw new Error('wrong public key length')
  const edwards = edwardsOf(publicKey)
  const plain = Buffer.from(signature)
  // The sign of the key's other coordinate travels in the one bit of a signature that is always 0.
  edwards[KEY_BYTES - 1] = byteAt(edwards, KEY_BYTES - 1) | (byteAt(plain, SIGNATURE_BYTES - 1) & TOP_BIT)
  plain[SIGNATURE_BYTES - 1] = byteAt(plain, SIGNATURE_BYTES - 1) & ~TOP_BIT
  const key = createPublicKey({ key: Buffer.concat([ED25519_SPKI, edwards]), format: 'der', type: 'spki' })
  return verifyEd25519(null, message, key, plain)
}

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const TOP_BIT = 0x80
/** What stands before the 32 bytes of an Ed25519 public key in DER (RFC 8410). */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex')
/** The field of both curves. */
const P = 2n ** 255n - 19n

/** The y of the Edwards curve for the u of the Montgomery curve (RFC 7748, 4.1): (u - 1) / (u + 1), sign bit 0. */
function edwardsOf(publicKey: Uint8Array): Buffer {
  const u = BigInt.asUintN(255, BigInt(`0x${Buffer.from(publicKey).reverse().toString('hex')}`))
  const y = modulo((u - 1n) * inverse(modulo(u + 1n)))
  return Buffer.from(y.toString(16).padStart(2 * KEY_BYTES, '0'), 'hex').reverse()
}

/** By Euclid's extended algorithm; 0 for 0, as by Fermat's power. All of it is public: the time may tell the key. */
function inverse(value: bigint): bigint {
  let [rest, next] = [P, value]
  let [factor, nextFactor] = [0n, 1n]
  while (next !== 0n) {
    const quotient = rest / next
    ;[rest, next] = [next, rest - quotient * next]
    ;[factor, nextFactor] = [nextFactor, factor - quotient * nextFactor]
  }
  return value === 0n ? 0n : modulo(factor)
}

function modulo(value: bigint): bigint {
  return ((value % P) + P) % P
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}
