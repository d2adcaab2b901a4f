/**
 * The acknowledgement mark: the file `session.ack` beside the log, holding the highest revision known to be durable.
 *
 * Why: when the last record of a log is damaged, or the log is cut off by outside hands, the log alone looks as if a
 * crash had torn a write that nobody was promised. The mark tells the two apart: a log that ends below it has lost
 * acknowledged records and is refused.
 *
 * Invariants
 * - It is written after the fdatasync of the record it names, so what it claims is always true.
 * - It is a lower bound: older than the log is normal, and absent or unreadable claims nothing.
 * - It is written at the opening, then every LAG_MS while there is something to note, and at the closing: a write for
 *   each record would be a twentieth of what a message costs. It is not synced before the closing but left to the kernel,
 *   which writes it within about half a minute. So a process killed leaves it LAG_MS behind, a power loss half a minute
 *   more. Both leave a log that is whole as far as it was acknowledged; what the mark is there to find comes later.
 * - It is overwritten in place, 64 bytes inside one sector, so that a full disk can't stop it.
 */
import { join } from 'node:path'
import type { Clock, Timer } from '../../shared/clock.ts'
import { crc32 } from './crc32.ts'
import { isAbsent, storageError } from '../../shared/session/session-error.ts'
import { writeFully, type SessionFile, type SessionFs } from '../../shared/session/session-fs.ts'

export const ACK_NAME = 'session.ack'
/** One line of text, so that a person can read it: `acknowledged 0000000000001234 89abcdef`, filled with spaces. */
const LINE_BYTES = 64
/** How long a record may be durable without being noted. */
const LAG_MS = 5000
const LINE = /^acknowledged (\d{16}) ([0-9a-f]{8}) *\n$/

export function encodeAck(revision: number): Buffer {
  const digits = String(revision).padStart(16, '0')
  const checksum = crc32(Buffer.from(digits)).toString(16).padStart(8, '0')
  return Buffer.from(`acknowledged ${digits} ${checksum}`.padEnd(LINE_BYTES - 1) + '\n')
}

/** The revision, or undefined for anything that is not a whole line. */
export function decodeAck(bytes: Buffer): number | undefined {
  const match = LINE.exec(bytes.toString('latin1'))
  if (match === null) return undefined
  const [, digits = '', checksum = ''] = match
  return crc32(Buffer.from(digits)) === Number.parseInt(checksum, 16) ? Number(digits) : undefined
}

/** The mark in `dir`; undefined when absent or not whole. Rejects with storage_failed when it can't be read. */
export async function readAck(fs: SessionFs, dir: string): Promise<number | undefined> {
  const path = join(dir, ACK_NAME)
  try {
    return decodeAck(await fs.readFile(path))
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw storageError(error, 'read', path)
  }
}

export interface AckMark {
  /** Notes within LAG_MS that `revision` is durable; returns at once, the last call wins. */
  advance(revision: number): void
  /** Notes the last one, syncs and closes. May be called twice. */
  close(): Promise<void>
}

/**
 * Opens the mark for writing and sets it to `revision`. A failed write is told to `onError` once and ends the
 * writing: the mark then stays behind, which is safe. Rejects when the file can't be made.
 */
export async function openAck(
  fs: SessionFs,
  dir: string,
  revision: number,
  clock: Clock,
  onError: (error: unknown) => void,
): Promise<AckMark> {
  const path = join(dir, ACK_NAME)
  const file = await openOrCreate(fs, path)
  let wanted = revision
  let written = 0
  let broken = false
  let timer: Timer | undefined
  let writing: Promise<void> | undefined
  let closing: Promise<void> | undefined

  const write = async (): Promise<void> => {
    while (written < wanted && !broken) {
      const target = wanted
      try {
        await writeFully(file, encodeAck(target), 0)
        written = target
      } catch (error) {
        broken = true
        onError(error)
      }
    }
    writing = undefined
  }

  const begin = (): void => {
    if (written < wanted && !broken) writing ??= write()
  }

  const advance = (to: number): void => {
    if (closing !== undefined || broken) return
    wanted = Math.max(wanted, to)
    timer ??= clock.setTimer(
      LAG_MS,
      () => {
        timer = undefined
        begin()
      },
      { unref: true },
    )
  }

  const finish = async (): Promise<void> => {
    timer?.cancel()
    begin()
    await writing
    try {
      if (!broken) await file.datasync()
    } finally {
      await file.close()
    }
  }

  begin()
  return { advance, close: () => (closing ??= finish()) }
}

async function openOrCreate(fs: SessionFs, path: string): Promise<SessionFile> {
  let file: SessionFile
  try {
    file = await fs.open(path, 'r+')
  } catch (error) {
    if (!isAbsent(error)) throw error
    return fs.open(path, 'create')
  }
  try {
    if ((await file.size()) > LINE_BYTES) await file.truncate(LINE_BYTES)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}
