import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import { messageOf } from '../../shared/errors.ts'
import { BackupError, type SealedArchive } from './target.ts'

/*
 * A sealed archive: magic (4 bytes) | key id (8) | iv (12) | AES-256-GCM of gzip(the session's compacted log) | tag (16).
 * The account, both revisions and the hour are authenticated with it: what was sealed for one account does not open for
 * another, nor an old backup as a new one. (Who can write to the target can still put back an old backup whole, with its
 * old revision and its old hour: the age that is shown then is the true one.)
 */
const MAGIC = Buffer.from('WAB1', 'ascii')
const KEY_BYTES = 32
const KEY_ID_BYTES = 8
/** NIST SP 800-38D: a random IV of 96 bits is good for 2^32 messages of one key; 200 busy accounts make 2^27 a year. */
const IV_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = MAGIC.length + KEY_ID_BYTES + IV_BYTES
/** zlib's own default; 18 ms for a used session of 0.9 MB. */
const GZIP_LEVEL = 6
/** Far above any session, so that no archive can fill the memory. */
const LARGEST_PLAIN_BYTES = 512 * 1024 * 1024

export interface BackupKey {
  /** 16 hex digits: the start of the key's SHA-256. Says which key it was, and nothing about it. */
  readonly id: string
  readonly bytes: Uint8Array
}

/** `current` seals; all of them open. */
export interface KeyRing {
  readonly current: BackupKey
  readonly older: readonly BackupKey[]
}

/** What is to be sealed. `bytes`: the session's compacted log. */
export interface PlainArchive {
  accountId: string
  rev: number
  sessionRevision: number
  savedAtMs: number
  bytes: Uint8Array
}

/**
 * The keys out of their configured texts, each 32 bytes in base64 (44 characters); white space around a text is allowed,
 * and empty texts among the older ones. Throws an Error that says which text is wrong and how, never what it was.
 */
export function parseKeyRing(current: string, older: readonly string[]): KeyRing {
  const given = older.filter((text) => text.trim() !== '')
  return {
    current: parseKey(current, 'The backup key'),
    older: given.map((text, at) => parseKey(text, `Old backup key ${at + 1} of ${given.length}`)),
  }
}

function parseKey(text: string, what: string): BackupKey {
  const trimmed = text.trim()
  const bytes = Buffer.from(trimmed, 'base64')
  // Node skips what is not base64: only a text that comes out the same was one.
  if (bytes.length !== KEY_BYTES || bytes.toString('base64') !== trimmed) {
    throw new Error(
      `${what} has to be ${KEY_BYTES} bytes in base64 (44 characters, the last one "="), and is a text of ` +
        `${trimmed.length} characters that is not. Make one with: openssl rand -base64 32`,
    )
  }
  return { id: createHash('sha256').update(bytes).digest().subarray(0, KEY_ID_BYTES).toString('hex'), bytes }
}

/** Compresses and encrypts: 20 ms of CPU a megabyte, so not on the main thread (see archives.ts). */
export function sealArchive(ring: KeyRing, plain: PlainArchive): SealedArchive {
  const { accountId, bytes, rev, sessionRevision } = plain
  // What is authenticated has to come back from the target as it went there, and that keeps whole milliseconds.
  const savedAtMs = Math.trunc(plain.savedAtMs)
  const { current } = ring
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', current.bytes, iv, { authTagLength: TAG_BYTES })
  cipher.setAAD(boundTo(accountId, { rev, sessionRevision, savedAtMs }))
  const body = [cipher.update(gzipSync(bytes, { level: GZIP_LEVEL })), cipher.final()]
  const sealed = Buffer.concat([MAGIC, Buffer.from(current.id, 'hex'), iv, ...body, cipher.getAuthTag()])
  return {
    rev,
    sessionRevision,
    savedAtMs,
    plainBytes: bytes.byteLength,
    sealedBytes: sealed.length,
    keyId: current.id,
    sealed,
  }
}

/**
 * The bytes that were sealed for this account. Throws a BackupError: `wrong_key` when no key of the ring is the one that
 * sealed it, `damaged` when anything at all is not as it was sealed. Both name the account, the revision and the key's id.
 */
export function openArchive(ring: KeyRing, accountId: string, archive: SealedArchive): Buffer {
  const { sealed } = archive
  const which = `The backup of ${accountId}, revision ${archive.rev}`
  if (sealed.length < HEADER_BYTES + TAG_BYTES || !sealed.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new BackupError('damaged', `${which}, is not a sealed archive (${sealed.length} bytes).`)
  }
  const keyId = sealed.subarray(MAGIC.length, MAGIC.length + KEY_ID_BYTES).toString('hex')
  const key = [ring.current, ...ring.older].find(({ id }) => id === keyId)
  if (key === undefined) {
    throw new BackupError(
      'wrong_key',
      `${which}, was sealed with key ${keyId}, which is not configured (there are: ` +
        `${[ring.current, ...ring.older].map(({ id }) => id).join(', ')}). Give its key in BACKUP_OLD_KEYS.`,
    )
  }
  try {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      key.bytes,
      sealed.subarray(HEADER_BYTES - IV_BYTES, HEADER_BYTES),
      {
        authTagLength: TAG_BYTES,
      },
    )
    decipher.setAAD(boundTo(accountId, archive))
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    const zipped = Buffer.concat([decipher.update(sealed.subarray(HEADER_BYTES, -TAG_BYTES)), decipher.final()])
    return gunzipSync(zipped, { maxOutputLength: LARGEST_PLAIN_BYTES })
  } catch (cause) {
    throw new BackupError(
      'damaged',
      `${which}, does not open with key ${keyId}: it was changed, or sealed for another account or as another revision ` +
        `(${messageOf(cause)}).`,
    )
  }
}

/** What is authenticated beside the archive itself. */
function boundTo(accountId: string, of: { rev: number; sessionRevision: number; savedAtMs: number }): Buffer {
  return Buffer.from(JSON.stringify([MAGIC.toString(), accountId, of.rev, of.sessionRevision, of.savedAtMs]))
}
