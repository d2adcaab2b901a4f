/**
 * Reads a whole log and says what it holds, writing nothing. What a bad record means:
 *
 * | at the first bad offset | beyond it | the log was put in place | verdict |
 * |---|---|---|---|
 * | nothing (end of file) | | whole | whole |
 * | anything | no header of a record of this log | whole | torn tail: a write that a crash cut; never acknowledged |
 * | anything | a header of a record of this log | | damaged: a record is only ever written after all before it are durable |
 * | anything | | not whole (sequence below the floor) | damaged: it was whole and synced before it got its name |
 * | a valid record out of sequence | | | damaged: doubled, moved or missing records |
 *
 * What the bytes alone can't tell (the last record damaged or cut off, which looks like a torn tail) the
 * acknowledgement mark beside the log tells: see ack-mark.ts.
 */
import { crc32 } from './crc32.ts'
import {
  decodeBody,
  decodeHeader,
  decodeRecordHeader,
  entryBytes,
  HEADER_BYTES,
  LOG_VERSION,
  RECORD_HEADER_BYTES,
  RECORD_MAGIC,
  type LogHeader,
} from './log-record.ts'
import { damagedError, SessionError } from '../../shared/session/session-error.ts'
import { readFully, type SessionFile } from '../../shared/session/session-fs.ts'

/** Where the value of a key stands in the file, and its checksum, compared again with each read. */
export interface ValueLocation {
  readonly offset: number
  readonly length: number
  readonly crc: number
}

export interface LogContents {
  readonly header: LogHeader
  readonly index: Map<string, ValueLocation>
  /** Sequence of the last valid record. */
  readonly sequence: number
  /** Offset just after it; what follows is a torn tail of `tornBytes`. */
  readonly endBytes: number
  readonly tornBytes: number
  /** Size of the live entries: what a compaction would keep. */
  readonly liveBytes: number
  readonly records: number
  readonly lastRecord: { readonly offset: number; readonly length: number }
}

/** One read per 256 KiB instead of one per record. */
const WINDOW_BYTES = 256 * 1024

/** Reads `file`. `name` is what errors call it. Rejects with session_damaged or session_version, or the read's own error. */
export async function scanLog(file: SessionFile, name: string): Promise<LogContents> {
  const { contents, window, sizeBytes, misplaced } = await scanRecords(file, name)
  const { header, endBytes: offset, sequence } = contents
  if (misplaced !== undefined) {
    const reason = `at byte ${offset} stands record ${misplaced}, expected ${sequence + 1}: records are missing, doubled or moved`
    throw damagedError(name, reason, { offset, sequence: sequence + 1, found: misplaced })
  }
  // One header is proof enough: the writer begins a record only when everything before it is durable, so the bad bytes
  // were acknowledged once.
  for await (const later of laterRecords(window, header.salt, offset + 1, sizeBytes)) {
    const reason = `record ${sequence + 1} at byte ${offset} is damaged, and record ${later.sequence} follows at byte ${later.offset}`
    throw damagedError(name, reason, { offset, sequence: sequence + 1, followedBy: later.offset })
  }
  if (sequence < header.floorSequence) {
    const reason = `it ends at byte ${offset} with record ${sequence}; it had ${header.floorSequence} when it was put in place`
    throw damagedError(name, reason, { offset, sequence, floor: header.floorSequence })
  }
  return contents
}

/**
 * All whole records up to the first that is not, however much follows it: for a recovery, which the operator asked for.
 * `lastSequence` is the highest sequence that any record header in the file names. Rejects where even the header of the
 * file is damaged: without its salt no record can be told from noise.
 */
export async function scanReadablePart(
  file: SessionFile,
  name: string,
): Promise<{ readonly contents: LogContents; readonly lastSequence: number }> {
  const { contents, window, sizeBytes, misplaced } = await scanRecords(file, name)
  let lastSequence = Math.max(contents.sequence, misplaced ?? 0)
  for await (const later of laterRecords(window, contents.header.salt, contents.endBytes + 1, sizeBytes)) {
    lastSequence = Math.max(lastSequence, later.sequence)
  }
  return { contents, lastSequence }
}

/** The records from the first one on, as far as each is whole and follows the one before it. */
async function scanRecords(
  file: SessionFile,
  name: string,
): Promise<{ contents: LogContents; window: Window; sizeBytes: number; misplaced: number | undefined }> {
  const sizeBytes = await file.size()
  const window = openWindow(file)
  const header = readHeader(await window(0, HEADER_BYTES), name)
  const { salt } = header
  const index = new Map<string, ValueLocation>()
  let sequence = header.firstSequence - 1
  let offset = HEADER_BYTES
  let liveBytes = 0
  let records = 0
  let lastRecord = { offset: HEADER_BYTES, length: 0 }
  let misplaced: number | undefined

  while (offset < sizeBytes) {
    const head = decodeRecordHeader(salt, await window(offset, RECORD_HEADER_BYTES))
    if (head !== undefined && head.sequence !== sequence + 1) {
      misplaced = head.sequence
      break
    }
    const bodyOffset = offset + RECORD_HEADER_BYTES
    const complete = head !== undefined && bodyOffset + head.bodyLength <= sizeBytes
    const body = complete ? await window(bodyOffset, head.bodyLength) : undefined
    const placed = body === undefined || head === undefined ? undefined : decodeBody(salt, head, body)
    if (head === undefined || body === undefined || placed === undefined) break
    for (const { key, valueOffset, valueLength } of placed) {
      const previous = index.get(key)
      if (previous !== undefined) liveBytes -= entryBytes(key, previous.length)
      if (valueOffset < 0) {
        index.delete(key)
        continue
      }
      const crc = crc32(body.subarray(valueOffset, valueOffset + valueLength))
      index.set(key, { offset: bodyOffset + valueOffset, length: valueLength, crc })
      liveBytes += entryBytes(key, valueLength)
    }
    const length = RECORD_HEADER_BYTES + head.bodyLength
    lastRecord = { offset, length }
    offset += length
    sequence += 1
    records += 1
  }

  const tornBytes = sizeBytes - offset
  const contents = { header, index, sequence, endBytes: offset, tornBytes, liveBytes, records, lastRecord }
  return { contents, window, sizeBytes, misplaced }
}

/** Throws session_damaged when the log ends below the acknowledgement mark: see ack-mark.ts. */
export function refuseBelowMark(contents: LogContents, path: string, acknowledged: number | undefined): void {
  if (acknowledged === undefined || contents.sequence >= acknowledged) return
  const { endBytes, sequence, tornBytes } = contents
  const what = tornBytes > 0 ? `is followed by ${tornBytes} bytes that are no valid record` : 'is where the file ends'
  throw damagedError(
    path,
    `record ${sequence}, up to byte ${endBytes}, ${what}; record ${acknowledged} was acknowledged (session.ack says so; without that file the older state would be accepted)`,
    { offset: endBytes, sequence, acknowledged },
  )
}

function readHeader(bytes: Buffer, name: string): LogHeader {
  const reading = decodeHeader(bytes)
  switch (reading.kind) {
    case 'ok':
      return reading.header
    case 'bad':
      throw damagedError(name, `${reading.reason} (byte 0)`, { offset: 0 })
    case 'version':
      throw new SessionError(
        'session_version',
        `${name} has version ${reading.version}; this program reads version ${LOG_VERSION}. Run the program that wrote it.`,
        { file: name, version: reading.version },
      )
    default:
      return reading satisfies never
  }
}

/** The headers of records of this log, wherever they stand from byte `from` on; their bodies are not looked at. */
async function* laterRecords(
  window: Window,
  salt: number,
  from: number,
  sizeBytes: number,
): AsyncGenerator<{ sequence: number; offset: number }> {
  let start = from
  while (start + RECORD_HEADER_BYTES <= sizeBytes) {
    const bytes = await window(start, Math.min(WINDOW_BYTES, sizeBytes - start))
    if (bytes.length < RECORD_HEADER_BYTES) return
    for (let at = bytes.indexOf(RECORD_MAGIC); at !== -1; at = bytes.indexOf(RECORD_MAGIC, at + 1)) {
      const head = decodeRecordHeader(salt, bytes, at)
      if (head !== undefined) yield { sequence: head.sequence, offset: start + at }
    }
    // A header across the border of two windows is seen by the second.
    start += bytes.length - RECORD_HEADER_BYTES + 1
  }
}

type Window = (position: number, length: number) => Promise<Buffer>

/** Reads through one chunk of the file at a time; the buffer is valid until the next call, and shorter at the end. */
function openWindow(file: SessionFile): Window {
  let chunk: Buffer = Buffer.alloc(0)
  let chunkAt = 0
  return async (position, length) => {
    if (position < chunkAt || position + length > chunkAt + chunk.length) {
      chunk = await readFully(file, position, Math.max(length, WINDOW_BYTES))
      chunkAt = position
    }
    return chunk.subarray(position - chunkAt, position - chunkAt + length)
  }
}
