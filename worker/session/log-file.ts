import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { crc32 } from './crc32.ts'
import {
  encodeHeader,
  encodeRecord,
  entryBytes,
  HEADER_BYTES,
  RECORD_HEADER_BYTES,
  type LogEntry,
} from './log-record.ts'
import type { LogContents, ValueLocation } from './log-scan.ts'
import { isAbsent } from '../../shared/session/session-error.ts'
import { writeFully, type SessionFile, type SessionFs } from '../../shared/session/session-fs.ts'

export const LOG_NAME = 'session.log'
/** The log before the last compaction: whole, older, kept for a person who needs it. */
export const PREVIOUS_LOG_NAME = 'session.log.prev'
const TEMPORARY_LOG_NAME = 'session.log.tmp'
const TEMPORARY_PREVIOUS_NAME = 'session.log.prev.tmp'
/** What a crash can leave behind; none of it was ever the session. */
export const LEFTOVER_NAMES: readonly string[] = [TEMPORARY_LOG_NAME, TEMPORARY_PREVIOUS_NAME]

/** A new log is cut into records of about this size, so that writing and reading it needs little memory. */
const RECORD_TARGET_BYTES = 256 * 1024
const MAX_SALT = 2 ** 32

export interface WrittenLog {
  readonly file: SessionFile
  readonly contents: LogContents
}

export interface NewLog {
  readonly entries: AsyncIterable<LogEntry> | Iterable<LogEntry>
  readonly firstSequence: number
}

/** The bytes of a whole new log, piece by piece with their offsets; the header comes last, when the floor is known. */
async function* encodeLog(log: NewLog): AsyncGenerator<{ bytes: Buffer; offset: number }, LogContents> {
  const salt = randomInt(MAX_SALT)
  const index = new Map<string, ValueLocation>()
  let sequence = log.firstSequence - 1
  let offset = HEADER_BYTES
  let liveBytes = 0
  let lastRecord = { offset, length: 0 }
  let batch: LogEntry[] = []
  let batchBytes = 0

  const flush = (): { bytes: Buffer; offset: number } => {
    const { bytes, placed } = encodeRecord(salt, sequence + 1, batch)
    for (const { key, valueOffset, valueLength } of placed) {
      const at = RECORD_HEADER_BYTES + valueOffset
      index.set(key, { offset: offset + at, length: valueLength, crc: crc32(bytes.subarray(at, at + valueLength)) })
      liveBytes += entryBytes(key, valueLength)
    }
    const piece = { bytes, offset }
    lastRecord = { offset, length: bytes.length }
    offset += bytes.length
    sequence += 1
    batch = []
    batchBytes = 0
    return piece
  }

  for await (const entry of log.entries) {
    batch.push(entry)
    batchBytes += entryBytes(entry.key, entry.value?.length ?? 0)
    if (batchBytes >= RECORD_TARGET_BYTES) yield flush()
  }
  if (batch.length > 0) yield flush()
  const header = { salt, firstSequence: log.firstSequence, floorSequence: sequence }
  yield { bytes: encodeHeader(header), offset: 0 }
  const records = sequence - log.firstSequence + 1
  return { header, index, sequence, endBytes: offset, tornBytes: 0, liveBytes, records, lastRecord }
}

/** Writes a new log under a temporary name and syncs it: whole on the disk, but not yet the session. */
export async function writeTemporaryLog(fs: SessionFs, dir: string, log: NewLog): Promise<WrittenLog> {
  const file = await fs.open(join(dir, TEMPORARY_LOG_NAME), 'create')
  try {
    const pieces = encodeLog(log)
    let next = await pieces.next()
    while (next.done !== true) {
      await writeFully(file, next.value.bytes, next.value.offset)
      next = await pieces.next()
    }
    await file.sync()
    return { file, contents: next.value }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The temporary log becomes the session. Until the directory is synced a power loss may still bring back the old one. */
export async function publishLog(fs: SessionFs, dir: string): Promise<void> {
  await fs.rename(join(dir, TEMPORARY_LOG_NAME), join(dir, LOG_NAME))
  await fs.syncDir(dir)
}

/**
 * Gives the present log a second name, session.log.prev, by a hard link: at no instant is there no whole log.
 * Rejects where the filesystem has no hard links.
 */
export async function keepPreviousLog(fs: SessionFs, dir: string): Promise<void> {
  const temporary = join(dir, TEMPORARY_PREVIOUS_NAME)
  await removeIfPresent(fs, temporary)
  await fs.link(join(dir, LOG_NAME), temporary)
  await fs.rename(temporary, join(dir, PREVIOUS_LOG_NAME))
}

export async function removeTemporaryLog(fs: SessionFs, dir: string): Promise<void> {
  await removeIfPresent(fs, join(dir, TEMPORARY_LOG_NAME))
}

export async function removeIfPresent(fs: SessionFs, path: string): Promise<void> {
  try {
    await fs.unlink(path)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}

/** A whole log as one buffer, for a backup: put in place as session.log it opens as these entries. */
export async function encodeLogImage(log: NewLog): Promise<Buffer> {
  const pieces: { bytes: Buffer; offset: number }[] = []
  for await (const piece of encodeLog(log)) pieces.push(piece)
  pieces.sort((a, b) => a.offset - b.offset)
  return Buffer.concat(pieces.map((piece) => piece.bytes))
}
