import { join } from 'node:path'
import { readAck } from './ack-mark.ts'
import { crc32 } from './crc32.ts'
import { LOG_NAME } from './log-file.ts'
import type { LogEntry } from './log-record.ts'
import { scanLog, type LogContents } from './log-scan.ts'
import { damagedError, isAbsent, openError, SessionError, storageError } from '../../shared/session/session-error.ts'
import { nodeFs, readFully, type SessionFile, type SessionFs } from '../../shared/session/session-fs.ts'
import { CREDS_KEY, splitLogKey } from './session-key.ts'
import { refuseBelowMark } from './session-log.ts'

/** A session on the disk, opened for reading alone: nothing is repaired, made or locked. */
export interface StoredSession {
  readonly contents: LogContents
  /** Revision of the acknowledgement mark; undefined when there is none. */
  readonly acknowledged: number | undefined
  readonly keysByType: Readonly<Record<string, number>>
  entries(): AsyncIterable<LogEntry & { readonly value: Buffer }>
  close(): Promise<void>
}

/**
 * Reads and verifies the whole log in `dir`. Of a running account it sees the state of this moment; a write under way
 * then counts as a torn tail. Rejects with session_not_found, session_damaged, session_version or storage_failed.
 */
export async function readStoredSession(dir: string, fs: SessionFs = nodeFs): Promise<StoredSession> {
  const path = join(dir, LOG_NAME)
  let file: SessionFile
  try {
    file = await fs.open(path, 'r')
  } catch (error) {
    if (!isAbsent(error)) throw openError(error, path)
    const reason = `There is no session log in ${dir}: the account was never started here, or its log was taken away.`
    throw new SessionError('session_not_found', reason, { dir })
  }
  try {
    // The mark first: a running account moves both on, the log before the mark.
    const acknowledged = await readAck(fs, dir)
    const contents = await scanLog(file, path)
    refuseBelowMark(contents, path, acknowledged)
    if (!contents.index.has(CREDS_KEY)) throw damagedError(path, 'it holds no creds')
    const keysByType: Record<string, number> = {}
    for (const key of contents.index.keys()) {
      const type = splitLogKey(key)?.type
      if (type !== undefined) keysByType[type] = (keysByType[type] ?? 0) + 1
    }
    return {
      contents,
      acknowledged,
      keysByType,
      entries: () => readEntries(file, path, contents),
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw storageError(error, 'read', path)
  }
}

async function* readEntries(
  file: SessionFile,
  path: string,
  contents: LogContents,
): AsyncGenerator<LogEntry & { value: Buffer }> {
  for (const [key, { offset, length, crc }] of contents.index) {
    const value = await readFully(file, offset, length)
    if (value.length !== length || crc32(value) !== crc)
      throw damagedError(path, 'it changed while it was read', { offset })
    yield { key, value }
  }
}
