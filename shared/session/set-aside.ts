/**
 * A session that is no longer wanted is moved, never deleted: SESSIONS_PATH/.set-aside/<account>-<time>-<reason>/.
 *
 * The whole directory goes, by one rename, so a crash leaves it here or there and never in between. Its lock file goes
 * with it. A worker that holds the lock does, in this order: close the session, setAside(), lockSession() on the new
 * directory, release the old lock. Whoever waited for the old lock notices that it moved (session-lock.ts).
 */
import { join } from 'node:path'
import { isAccountId } from '../account-id.ts'
import { isAbsent, SessionError, storageError } from './session-error.ts'
import { nodeFs, type DirectoryEntry, type SessionFs } from './session-fs.ts'
import { LOCK_NAME } from './session-lock.ts'
import { freeName, timestamp } from './names.ts'
import { isSetAsideReason } from './set-aside-name.ts'

export const SET_ASIDE_DIR = '.set-aside'

export interface SetAsideOptions {
  readonly sessionsPath: string
  readonly accountId: string
  /** Why, as a word: logged_out, removed, damaged. */
  readonly reason: string
  readonly nowMs: number
  readonly fs?: SessionFs
}

/**
 * Moves the account's directory away; the caller holds its lock. Resolves with the new path when that is durable, or
 * with undefined when there was nothing but a lock file. Rejects with storage_*; the directory is then where it was,
 * or (a failed sync after the rename) under the new name.
 */
export async function setAside(options: SetAsideOptions): Promise<string | undefined> {
  const { sessionsPath, accountId, reason, nowMs, fs = nodeFs } = options
  if (!isAccountId(accountId) || !isSetAsideReason(reason)) {
    throw new SessionError('destination_refused', `"${accountId}" and "${reason}" can't become a directory's name.`)
  }
  const source = join(sessionsPath, accountId)
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  try {
    const present = await listIfThere(fs, source)
    if (present.every(({ name }) => name === LOCK_NAME)) return undefined
    await fs.makeDir(aside)
    const target = join(aside, await freeNameAside(fs, aside, accountId, reason, nowMs))
    await fs.rename(source, target)
    // The new name first: where a rename is not atomic on the disk, a session with two names is better than none.
    await fs.syncDir(aside)
    await fs.syncDir(sessionsPath)
    return target
  } catch (error) {
    throw storageError(error, 'set aside', source)
  }
}

/** A name in .set-aside that nothing has yet. */
export async function freeNameAside(
  fs: SessionFs,
  aside: string,
  accountId: string,
  reason: string,
  nowMs: number,
): Promise<string> {
  const taken = new Set((await listIfThere(fs, aside)).map(({ name }) => name))
  return freeName(`${accountId}-${timestamp(nowMs)}-${reason}`, taken)
}

/** The entries of a directory; none where it is not there. */
export async function listIfThere(fs: SessionFs, path: string): Promise<DirectoryEntry[]> {
  try {
    return await fs.readDir(path)
  } catch (error) {
    if (isAbsent(error)) return []
    throw error
  }
}
