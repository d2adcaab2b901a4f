import { errnoOf } from '../errors.ts'

/**
 * What can go wrong with a session, as one class.
 *
 * | code | meaning | what to do |
 * |---|---|---|
 * | session_damaged | what is on disk is not a whole session; nothing was touched | recover it, put back a good copy, or remove the account and link again |
 * | session_conflict | two different sessions lie in one directory; nothing was touched | move one of them away |
 * | session_locked | another process holds the directory | stop it, or wait |
 * | session_version | the log was written by a newer program | run that program, or export with it |
 * | recovery_refused | a damaged session can't be recovered in the way that was asked for; nothing was changed | the other way, a backup, or link again |
 * | session_not_found | there is no session of that name | check the name and the path |
 * | session_closed | called after close() | a programming error |
 * | storage_full | ENOSPC, EDQUOT or EFBIG: nothing more is acknowledged | make room, then start again |
 * | storage_failed | any other failed read or write, with its errno | look at the disk, then start again |
 * | destination_refused | a place to write to is not empty or not usable | choose another |
 */
export type SessionErrorCode =
  | 'session_damaged'
  | 'session_conflict'
  | 'session_locked'
  | 'session_version'
  | 'recovery_refused'
  | 'session_not_found'
  | 'session_closed'
  | 'storage_full'
  | 'storage_failed'
  | 'destination_refused'

export type SessionErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>

/** Details never hold creds, keys, ids of chats or any content: only paths, offsets, counts, revisions and errnos. */
export class SessionError extends Error {
  override readonly name = 'SessionError'
  readonly code: SessionErrorCode
  readonly details: SessionErrorDetails

  constructor(code: SessionErrorCode, message: string, details: SessionErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.details = details
  }
}

/** "Not there" for certain; every other failure is "unreadable", a different result. */
export function isAbsent(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT'
}

/** EFBIG is a file size limit of the process or the filesystem: for the operator the same as no room. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Wraps a failed read or write. `doing` completes "could not ...". */
export function storageError(error: unknown, doing: string, file: string): SessionError {
  if (error instanceof SessionError) return error
  const errno = errnoOf(error) ?? 'unknown'
  const full = FULL.has(errno)
  const advice = full ? 'Make room on the volume: the account then returns by itself.' : 'Look at the disk.'
  return new SessionError(
    full ? 'storage_full' : 'storage_failed',
    `Could not ${doing} ${file}: ${errno}. What was acknowledged before is safe; nothing more is acknowledged. ${advice}`,
    { file, errno },
    error,
  )
}

/** For the operator: nothing of this happens without his word. */
const WAYS_OUT =
  'Recover it from its readable part (what came after the damage is lost) or from its previous generation (what came ' +
  'since the last compaction is lost): the next messages of some contacts then need a retry, which heals by itself. Or ' +
  'put back a session that was set aside, or remove the account and link it again.'

/** Session files that are there but can't be read or don't make sense. `reason` is a clause: "it is empty". */
export function damagedError(
  file: string,
  reason: string,
  details: SessionErrorDetails = {},
  cause?: unknown,
): SessionError {
  return new SessionError(
    'session_damaged',
    `The session can't be used: ${file}: ${reason}. Nothing was changed. ${WAYS_OUT}`,
    { file, reason, ...details },
    cause,
  )
}

/** There, and not for us: a person must change something before another try can end differently. */
const REFUSED = new Set(['EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'ELOOP'])

/** Wraps a failed open of a session file. "Not there" and "not readable" are both damage here, never a new session. */
export function openError(error: unknown, file: string): SessionError {
  const errno = errnoOf(error) ?? 'unknown'
  if (errno === 'ENOENT' || REFUSED.has(errno))
    return damagedError(file, `it can't be opened: ${errno}`, { errno }, error)
  return storageError(error, 'open', file)
}
