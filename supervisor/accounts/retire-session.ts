import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../shared/errors.ts'
import { lockSession } from '../../shared/session/session-lock.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import { setAside } from '../../shared/session/set-aside.ts'
import type { AccountRecord } from './store.ts'

/** The account's own worker has ended; whoever else holds the directory is another program. */
const LOCK_WAIT_MS = 2000

/**
 * Takes the session of a removed account off its directory: set aside, or destroyed where the operator said so. A purge
 * goes through setting aside as well, so that a crash half-way never leaves half a session in an account's place.
 * @throws AppError session_in_use, storage_unavailable: nothing is lost then
 */
export async function retireSession(sessionsPath: string, record: AccountRecord, nowMs: number): Promise<void> {
  const dir = join(sessionsPath, record.accountId)
  try {
    const lock = await lockSession({ dir, waitMs: LOCK_WAIT_MS, create: false })
    try {
      const aside = await setAside({ sessionsPath, accountId: record.accountId, reason: 'removed', nowMs })
      if (aside === undefined) await rm(dir, { recursive: true, force: true })
      else if (record.purge) await rm(aside, { recursive: true, force: true })
    } finally {
      await lock.release()
    }
  } catch (error) {
    // Never paired, or a removal that a crash cut short after this point.
    if (!(error instanceof SessionError)) throw error
    if (error.code === 'session_not_found') return
    const code = error.code === 'session_locked' ? 'session_in_use' : 'storage_unavailable'
    throw new AppError(code, `${error.message} The removal goes on at the next start, or when it is asked for again.`, {
      cause: error,
    })
  }
}
