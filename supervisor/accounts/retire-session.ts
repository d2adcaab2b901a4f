import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'
import { lockSession } from '../../shared/session/session-lock.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import { SET_ASIDE_DIR, setAside } from '../../shared/session/set-aside.ts'
import { parseSetAsideName, PURGING } from '../../shared/session/set-aside-name.ts'
import type { AccountRecord } from './store.ts'

const REMOVED = 'removed'

/**
 * Takes the session of a removed account off its directory: set aside, or destroyed where the operator said so. A purge
 * goes through setting aside as well, so that a crash half-way never leaves half a session in an account's place.
 * @param lockWaitMs how long somebody else may still hold the directory
 * @throws AppError session_in_use, storage_unavailable: nothing is lost then
 */
export async function retireSession(
  sessionsPath: string,
  record: AccountRecord,
  nowMs: number,
  lockWaitMs: number,
): Promise<void> {
  const dir = join(sessionsPath, record.accountId)
  let isHere = false
  try {
    const lock = await lockSession({ dir, waitMs: lockWaitMs, create: false })
    try {
      const reason = record.purge ? PURGING : REMOVED
      const aside = await setAside({ sessionsPath, accountId: record.accountId, reason, nowMs })
      isHere = aside !== undefined
      // Nothing was in it but the lock.
      if (!isHere) await rm(dir, { recursive: true, force: true })
    } finally {
      await lock.release()
    }
  } catch (error) {
    // Never paired, or a removal that a crash cut short after this point: there may still be something to destroy.
    if (!(error instanceof SessionError && error.code === 'session_not_found')) throw refusal(error)
  }
  if (!record.purge) return
  // Set aside by this very removal before anybody said that the session is to be destroyed: an earlier removal is of
  // another record, and a session of its own was not there now.
  const alsoRemovedSinceMs = isHere ? Infinity : wholeSecond(Date.parse(record.createdAt))
  try {
    await destroy(sessionsPath, record.accountId, alsoRemovedSinceMs)
  } catch (error) {
    throw refusal(error)
  }
}

/** As the names of what is set aside tell time. */
function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}

/** What a purge has set aside, in this attempt or an earlier one, and what was set aside as removed since then. */
async function destroy(sessionsPath: string, accountId: string, alsoRemovedSinceMs: number): Promise<void> {
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  const names = await readdir(aside).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  const mine = names.filter((name) => {
    const parsed = parseSetAsideName(name)
    if (parsed?.accountId !== accountId) return false
    return parsed.reason === PURGING || (parsed.reason === REMOVED && parsed.setAsideAtMs >= alsoRemovedSinceMs)
  })
  for (const name of mine) await rm(join(aside, name), { recursive: true, force: true })
}

function refusal(error: unknown): AppError {
  const code =
    error instanceof SessionError && error.code === 'session_locked' ? 'session_in_use' : 'storage_unavailable'
  return new AppError(
    code,
    `${messageOf(error)} The removal goes on at the next start, or when it is asked for again.`,
    {
      cause: error,
    },
  )
}
