import { BufferJSON, type AuthenticationCreds } from '@whiskeysockets/baileys'
import { damagedError } from '../../shared/session/session-error.ts'

/** Creds as Baileys' own store writes them: compact JSON, bytes as {"type":"Buffer","data":base64}. */
export function serializeCreds(creds: AuthenticationCreds): Buffer {
  return Buffer.from(JSON.stringify(creds, BufferJSON.replacer))
}

/** Curve25519: a private key has 32 bytes; a public one 32, or 33 with libsignal's type byte; a signature 64. */
const PRIVATE_BYTES = [32]
const PUBLIC_BYTES = [32, 33]
const SIGNATURE_BYTES = [64]

/**
 * Creds from their file's bytes. Throws session_damaged, naming `file` and what is wrong (a field's name, never a
 * value), unless they parse and hold what an identity can't be without.
 */
export function parseCreds(bytes: Buffer, file: string): AuthenticationCreds {
  if (bytes.length === 0) throw damagedError(file, 'it is empty, as a write cut by a crash leaves it', { sizeBytes: 0 })
  let creds: unknown
  try {
    creds = JSON.parse(bytes.toString('utf8'), BufferJSON.reviver)
  } catch {
    // The parser's own message quotes the text, which holds keys: it must not become the cause.
    throw damagedError(file, `its ${bytes.length} bytes are not whole JSON`, { sizeBytes: bytes.length })
  }
  const missing = missingField(creds)
  if (missing !== undefined)
    throw damagedError(file, `${missing} is missing or not what Baileys writes`, { field: missing })
  return creds as AuthenticationCreds
}

function missingField(creds: unknown): string | undefined {
  const checks: [string, boolean][] = [
    ['noiseKey', isKeyPair(field(creds, 'noiseKey'))],
    ['signedIdentityKey', isKeyPair(field(creds, 'signedIdentityKey'))],
    ['signedPreKey.keyPair', isKeyPair(field(field(creds, 'signedPreKey'), 'keyPair'))],
    ['signedPreKey.signature', isBytes(field(field(creds, 'signedPreKey'), 'signature'), SIGNATURE_BYTES)],
    ['signedPreKey.keyId', isCount(field(field(creds, 'signedPreKey'), 'keyId'))],
    ['registrationId', isCount(field(creds, 'registrationId'))],
    ['advSecretKey', typeof field(creds, 'advSecretKey') === 'string'],
    ['nextPreKeyId', isCount(field(creds, 'nextPreKeyId'))],
    ['firstUnuploadedPreKeyId', isCount(field(creds, 'firstUnuploadedPreKeyId'))],
  ]
  return checks.find(([, present]) => !present)?.[0]
}

/** The same identity, whatever else changed since: the keys that are made once and never again. */
export function sameIdentity(a: AuthenticationCreds, b: AuthenticationCreds): boolean {
  return (
    a.registrationId === b.registrationId &&
    Buffer.from(a.noiseKey.public).equals(b.noiseKey.public) &&
    Buffer.from(a.signedIdentityKey.public).equals(b.signedIdentityKey.public)
  )
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return (value as Record<string, unknown>)[name]
}

function isBytes(value: unknown, lengths: readonly number[]): boolean {
  return value instanceof Uint8Array && lengths.includes(value.length)
}

function isKeyPair(value: unknown): boolean {
  return isBytes(field(value, 'private'), PRIVATE_BYTES) && isBytes(field(value, 'public'), PUBLIC_BYTES)
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
