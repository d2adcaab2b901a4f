import { join } from 'node:path'
import { damagedError, openError, storageError } from '../../shared/session/session-error.ts'
import { readFully, writeFully, type SessionFile } from '../../shared/session/session-fs.ts'
import { LOG_NAME } from './log-file.ts'
import { refuseBelowMark, scanLog, type LogContents } from './log-scan.ts'
import { SessionLog, type OpenLogOptions } from './session-log.ts'

/**
 * Opens the log in `dir`. A torn tail is dropped (`tornBytes` says how much). Rejects with session_damaged,
 * session_version or storage_*, and then nothing was written.
 */
export async function openLog(options: OpenLogOptions): Promise<SessionLog> {
  const path = join(options.dir, LOG_NAME)
  const file = await options.fs.open(path, 'r+').catch((error: unknown) => {
    throw openError(error, path)
  })
  try {
    const contents = await scanLog(file, path)
    refuseBelowMark(contents, path, options.acknowledged)
    await settle(file, contents, path)
    await options.fs.syncDir(options.dir)
    return new SessionLog(options, { file, contents })
  } catch (error) {
    await file.close()
    throw storageError(error, 'open', path)
  }
}

/**
 * Makes durable what was read. The torn tail is cut off, and the last record is written once more over itself: if an
 * earlier process died after a failed sync, the record may stand in the page cache as clean without being on the
 * disk; written again, the sync below is about these bytes. The directory is synced by the caller for the same reason:
 * a process that died between the rename of a compaction and its sync left a name that a power loss takes back.
 */
async function settle(file: SessionFile, contents: LogContents, path: string): Promise<void> {
  const { offset, length } = contents.lastRecord
  if (contents.tornBytes > 0) {
    await file.truncate(contents.endBytes)
    await file.sync()
  }
  const last = await readFully(file, offset, length)
  if (last.length !== length) throw damagedError(path, `it became shorter while it was opened`, { offset })
  await writeFully(file, last, offset)
  await file.datasync()
}
