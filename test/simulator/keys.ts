import { randomBytes } from 'node:crypto'
import * as curve from 'libsignal/src/curve.js'

/** A Curve25519 pair, 32 bytes each, without Signal's type byte. */
export interface KeyPair {
  readonly publicKey: Buffer
  readonly privateKey: Buffer
}

/** Signal's type byte in front of a Curve25519 public key ("DJB type"); WhatsApp sends keys without it. */
const SIGNAL_KEY_TYPE = 5

export function makeKeyPair(): KeyPair {
  const { pubKey, privKey } = curve.generateKeyPair()
  return { publicKey: Buffer.from(pubKey.subarray(1)), privateKey: Buffer.from(privKey) }
}

/** The 33-byte form that libsignal wants: type byte, then the 32 bytes. */
export function withKeyType(publicKey: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(SIGNAL_KEY_TYPE), publicKey])
}

/** X25519: 32 bytes. */
export function sharedSecret(privateKey: Buffer, publicKey: Uint8Array): Buffer {
  return Buffer.from(curve.calculateAgreement(withKeyType(publicKey), privateKey))
}

/** XEdDSA: 64 bytes. Pure JavaScript below, so some milliseconds each. */
export function sign(privateKey: Buffer, message: Uint8Array): Buffer {
  return Buffer.from(curve.calculateSignature(privateKey, message))
}

/**
 * Whether `signature` over `message` is of `publicKey` (32 bytes).
 * Not Baileys' `Curve.verify`: that one answers true for every 64 bytes, as libsignal 6 returns false where it expects a throw.
 */
export function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  return curve.verifySignature(withKeyType(publicKey), message, signature)
}

/** Signal registration ids have 14 bits. */
export function makeRegistrationId(): number {
  return randomBytes(2).readUInt16BE() & 0x3fff
}
