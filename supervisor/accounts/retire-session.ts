import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'
import { lockSession } from '../../shared/session/session-lock.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import { SET_ASIDE_DIR, setAside } from '../../shared/session/set-aside.ts'
import { parseSetAsideName, PURGING } from '../../shared/session/set-aside-name.ts'
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
      const reason = record.purge ? PURGING : 'removed'
      const aside = await setAside({ sessionsPath, accountId: record.accountId, reason, nowMs })
      // Nothing was in it but the lock.
      if (aside === undefined) await rm(dir, { recursive: true, force: true })
    } finally {
      await lock.release()
    }
  } catch (error) {
    // Never paired, or a removal that a crash cut short after this point: there may still be something to destroy.
    if (!(error instanceof SessionError && error.code === 'session_not_found')) throw refusal(error)
  }
  if (record.purge)
    await destroy(sessionsPath, record.accountId).catch((error: unknown) => Promise.reject(refusal(error)))
}

/** What a purge has set aside, in this attempt or an earlier one. */
async function destroy(sessionsPath: string, accountId: string): Promise<void> {
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  const names = await readdir(aside).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  const mine = names.filter((name) => {
    const parsed = parseSetAsideName(name)
    return parsed?.accountId === accountId && parsed.reason === PURGING
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
