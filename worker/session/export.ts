import { join } from 'node:path'
import { isAbsent, SessionError, storageError } from '../../shared/session/session-error.ts'
import { nodeFs, writeFully, type DirectoryEntry, type SessionFs } from '../../shared/session/session-fs.ts'
import { CREDS_FILE, CREDS_KEY, splitLogKey, stockFileName } from './session-key.ts'
import { readStoredSession } from './stored-session.ts'

export interface ExportReport {
  readonly files: number
  readonly revision: number
}

/**
 * Writes the session in `dir` as Baileys' useMultiFileAuthState lays it out, into `target`, which is absent or empty;
 * files 0600, directory 0700. creds.json comes last, so what a crash cut off is not taken for a session. The caller
 * holds the lock of `dir`. Rejects with destination_refused, and with what readStoredSession rejects with.
 */
export async function exportSession(dir: string, target: string, fs: SessionFs = nodeFs): Promise<ExportReport> {
  const stored = await readStoredSession(dir, fs)
  try {
    await refuseNonEmpty(fs, target)
    const names = new Map<string, string>()
    for (const key of stored.contents.index.keys()) {
      const name = fileNameOf(key)
      if (name === undefined) continue
      // Baileys' names lose the difference between '/', '__', ':' and '-'.
      if (names.has(name)) {
        throw new SessionError(
          'destination_refused',
          `Two keys of the session would share one file name in Baileys' layout. Nothing was written.`,
          { dir },
        )
      }
      names.set(name, key)
    }
    await fs.makeDir(target)
    let creds: Buffer | undefined
    for await (const { key, value } of stored.entries()) {
      const name = fileNameOf(key)
      if (key === CREDS_KEY) creds = value
      else if (name !== undefined) await writeFile(fs, join(target, name), value)
    }
    await fs.syncDir(target)
    if (creds !== undefined) await writeFile(fs, join(target, CREDS_FILE), creds)
    await fs.syncDir(target)
    return { files: names.size, revision: stored.contents.sequence }
  } catch (error) {
    throw storageError(error, 'export to', target)
  } finally {
    await stored.close()
  }
}

/** undefined for an entry that Baileys' layout knows nothing of. */
function fileNameOf(key: string): string | undefined {
  if (key === CREDS_KEY) return CREDS_FILE
  const split = splitLogKey(key)
  return split === undefined ? undefined : stockFileName(split.type, split.id)
}

async function refuseNonEmpty(fs: SessionFs, target: string): Promise<void> {
  let present: DirectoryEntry[]
  try {
    present = await fs.readDir(target)
  } catch (error) {
    if (isAbsent(error)) return
    throw new SessionError(
      'destination_refused',
      `${target} can't be listed as a directory. Name an empty or absent one.`,
      { target },
      error,
    )
  }
  if (present.length === 0) return
  throw new SessionError(
    'destination_refused',
    `${target} is not empty (${present.length} entries). Name an empty or absent one.`,
    { target },
  )
}

async function writeFile(fs: SessionFs, path: string, bytes: Buffer): Promise<void> {
  const file = await fs.open(path, 'create')
  try {
    await writeFully(file, bytes, 0)
    await file.datasync()
  } finally {
    await file.close()
  }
}
