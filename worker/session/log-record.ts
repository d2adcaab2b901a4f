/**
 * The bytes of a session log, version 1. Pure: bytes in, data out. Numbers are little endian.
 *
 * header (40 bytes)                      record (24 bytes + body)
 *   0 magic "WASLOG\r\n"                   0 magic "WREC"
 *   8 version (1), three zero bytes        4 u32 length of the body
 *  12 u32 salt, random per file            8 u64 sequence
 *  16 u64 sequence of the first record    16 u32 crc32 of the body, started from the salt
 *  24 u64 floor: sequence reached when    20 u32 crc32 of bytes 0..19, started from the salt
 *     the file was put in its place       24 body: entries, one after the other:
 *  32 u32 zero                               u16 key length, u32 value length, key (UTF-8), value
 *  36 u32 crc32 of bytes 0..35               (value length 0xffffffff: the key is deleted, no value)
 *
 * - The sequence grows by one with each record, across compactions: a record missing, doubled or moved is seen.
 * - The salt makes the bytes of any other log, or of a value that looks like a record, fail the checksum.
 * - The checksum of the record's own header lets a search for later records cost one checksum of 20 bytes per candidate.
 * - A header keeps this layout in every version, so that an older program can say "too new" instead of "damaged".
 */
import { crc32 } from './crc32.ts'

export const HEADER_BYTES = 40
export const RECORD_HEADER_BYTES = 24
export const LOG_VERSION = 1
/** "\r\n" breaks visibly when a program copies the file as text, as in the header of PNG. */
const HEADER_MAGIC = Buffer.from('WASLOG\r\n', 'latin1')
export const RECORD_MAGIC = Buffer.from('WREC', 'latin1')
const ENTRY_HEADER_BYTES = 6
const TOMBSTONE = 0xffffffff
/** Far above any batch of Baileys (812 pre-keys are 130 KB); a longer one is a bug, refused before it is written. */
export const MAX_BODY_BYTES = 256 * 1024 * 1024
const MAX_KEY_BYTES = 0xffff

export interface LogHeader {
  readonly salt: number
  readonly firstSequence: number
  readonly floorSequence: number
}

/** One key with its new value; null deletes it. */
export interface LogEntry {
  readonly key: string
  readonly value: Buffer | null
}

/** Where a value stands. `valueOffset` counts from the start of the record's body. */
export interface PlacedEntry {
  readonly key: string
  /** -1 for a deleted key. */
  readonly valueOffset: number
  readonly valueLength: number
}

export type HeaderReading =
  | { readonly kind: 'ok'; readonly header: LogHeader }
  | { readonly kind: 'bad'; readonly reason: string }
  | { readonly kind: 'version'; readonly version: number }

export function encodeHeader(header: LogHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  HEADER_MAGIC.copy(bytes, 0)
  bytes.writeUInt8(LOG_VERSION, 8)
  bytes.writeUInt32LE(header.salt, 12)
  bytes.writeBigUInt64LE(BigInt(header.firstSequence), 16)
  bytes.writeBigUInt64LE(BigInt(header.floorSequence), 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 36)), 36)
  return bytes
}

export function decodeHeader(bytes: Buffer): HeaderReading {
  if (bytes.length < HEADER_BYTES)
    return { kind: 'bad', reason: `it has ${bytes.length} bytes, its header alone has ${HEADER_BYTES}` }
  if (!bytes.subarray(0, 8).equals(HEADER_MAGIC)) return { kind: 'bad', reason: 'it does not begin as a session log' }
  if (crc32(bytes.subarray(0, 36)) !== bytes.readUInt32LE(36)) {
    return { kind: 'bad', reason: 'the checksum of its header is wrong' }
  }
  const version = bytes.readUInt8(8)
  if (version !== LOG_VERSION) return { kind: 'version', version }
  return {
    kind: 'ok',
    header: {
      salt: bytes.readUInt32LE(12),
      firstSequence: Number(bytes.readBigUInt64LE(16)),
      floorSequence: Number(bytes.readBigUInt64LE(24)),
    },
  }
}

/** Size of an entry in a record's body, in bytes. */
export function entryBytes(key: string, valueLength: number): number {
  return ENTRY_HEADER_BYTES + Buffer.byteLength(key) + valueLength
}

/** Why these entries don't fit one record, as a sentence; undefined when they do. */
export function encodingObstacle(entries: readonly LogEntry[]): string | undefined {
  let length = 0
  for (const { key, value } of entries) {
    const keyLength = Buffer.byteLength(key)
    if (keyLength > MAX_KEY_BYTES) return `a key of ${keyLength} bytes; at most ${MAX_KEY_BYTES} fit`
    length += entryBytes(key, value?.length ?? 0)
  }
  return length > MAX_BODY_BYTES ? `a batch of ${length} bytes; at most ${MAX_BODY_BYTES} fit a record` : undefined
}

/** One whole record. The entries must fit: see encodingObstacle. */
export function encodeRecord(
  salt: number,
  sequence: number,
  entries: readonly LogEntry[],
): { bytes: Buffer; placed: PlacedEntry[] } {
  let length = 0
  for (const entry of entries) length += entryBytes(entry.key, entry.value?.length ?? 0)
  const bytes = Buffer.allocUnsafe(RECORD_HEADER_BYTES + length)
  const placed: PlacedEntry[] = []
  let at = RECORD_HEADER_BYTES
  for (const { key, value } of entries) {
    const keyLength = bytes.write(key, at + ENTRY_HEADER_BYTES, 'utf8')
    bytes.writeUInt16LE(keyLength, at)
    bytes.writeUInt32LE(value === null ? TOMBSTONE : value.length, at + 2)
    at += ENTRY_HEADER_BYTES + keyLength
    placed.push({ key, valueOffset: value === null ? -1 : at - RECORD_HEADER_BYTES, valueLength: value?.length ?? 0 })
    if (value !== null) at += value.copy(bytes, at)
  }
  RECORD_MAGIC.copy(bytes, 0)
  bytes.writeUInt32LE(length, 4)
  bytes.writeBigUInt64LE(BigInt(sequence), 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(RECORD_HEADER_BYTES), salt), 16)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 20), salt), 20)
  return { bytes, placed }
}

export interface RecordHeader {
  readonly bodyLength: number
  readonly sequence: number
  readonly bodyCrc: number
}

/** The header of a record at `at`, or undefined if the bytes there are not one of this log. */
export function decodeRecordHeader(salt: number, bytes: Buffer, at = 0): RecordHeader | undefined {
  if (at + RECORD_HEADER_BYTES > bytes.length) return undefined
  if (bytes.compare(RECORD_MAGIC, 0, 4, at, at + 4) !== 0) return undefined
  if (crc32(bytes.subarray(at, at + 20), salt) !== bytes.readUInt32LE(at + 20)) return undefined
  return {
    bodyLength: bytes.readUInt32LE(at + 4),
    sequence: Number(bytes.readBigUInt64LE(at + 8)),
    bodyCrc: bytes.readUInt32LE(at + 16),
  }
}

/** The entries of a body, or undefined if the checksum or the lengths in it don't fit. */
export function decodeBody(salt: number, header: RecordHeader, body: Buffer): PlacedEntry[] | undefined {
  if (body.length !== header.bodyLength || crc32(body, salt) !== header.bodyCrc) return undefined
  const placed: PlacedEntry[] = []
  let at = 0
  while (at < body.length) {
    if (at + ENTRY_HEADER_BYTES > body.length) return undefined
    const keyLength = body.readUInt16LE(at)
    const valueLength = body.readUInt32LE(at + 2)
    const keyAt = at + ENTRY_HEADER_BYTES
    const valueAt = keyAt + keyLength
    const deleted = valueLength === TOMBSTONE
    at = valueAt + (deleted ? 0 : valueLength)
    if (at > body.length) return undefined
    const key = body.toString('utf8', keyAt, valueAt)
    placed.push({ key, valueOffset: deleted ? -1 : valueAt, valueLength: deleted ? 0 : valueLength })
  }
  return placed
}
