import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, writeFileAtomic } from '../../shared/atomic-file.ts'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'

/**
 * The operator's word that nothing connects for now, over restarts of the service as well: a file beside the sessions
 * that is there or is not. Removing it by hand while the service is stopped ends the pause too.
 */
const HOLD_FILE = 'connects-paused'

/** Since when connects are paused, epoch ms; null when they are not. What can't be read is a pause: it was asked for. */
export async function readHold(sessionsPath: string, nowMs: number): Promise<number | null> {
  try {
    const sinceMs = Date.parse((await readFile(join(sessionsPath, HOLD_FILE), 'utf8')).trim())
    return Number.isFinite(sinceMs) ? sinceMs : nowMs
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? null : nowMs
  }
}

/** @throws AppError storage_unavailable: nothing was changed */
export async function writeHold(sessionsPath: string, sinceMs: number | null): Promise<void> {
  const path = join(sessionsPath, HOLD_FILE)
  try {
    if (sinceMs === null) {
      await rm(path, { force: true })
      // A pause that a power loss brings back would keep every account down.
      await syncDirectory(sessionsPath)
    } else await writeFileAtomic(path, `${new Date(sinceMs).toISOString()}\n`)
  } catch (error) {
    const doing = sinceMs === null ? 'removed' : 'written'
    throw new AppError('storage_unavailable', `${path} could not be ${doing}: ${messageOf(error)}.`, { cause: error })
  }
}
