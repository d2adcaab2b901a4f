import { AppError } from '../../shared/errors.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import { lockSession, type SessionLock } from '../../shared/session/session-lock.ts'

/** A service that was told to stop needs up to its shutdown timeout; a restart that comes a moment too early waits. */
const WAIT_MS = 1000

/**
 * One supervisor per sessions' directory: the same kind of lock as a session's, on the directory that holds them all.
 * @throws AppError unavailable, naming the process that holds it
 */
export async function lockSessions(sessionsPath: string): Promise<SessionLock> {
  try {
    return await lockSession({ dir: sessionsPath, waitMs: WAIT_MS })
  } catch (error) {
    if (!(error instanceof SessionError) || error.code !== 'session_locked') throw error
    const pid = error.details['holderPid']
    throw new AppError(
      'unavailable',
      `${sessionsPath} is in use by another supervisor${pid === undefined ? '' : ` (process ${pid})`}: stop it, or set SESSIONS_PATH to another directory.`,
    )
  }
}
