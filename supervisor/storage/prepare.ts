import { randomBytes } from 'node:crypto'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomic } from '../../shared/atomic-file.ts'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'
import type { Config } from '../config.ts'
import { ACCOUNTS_FILE } from '../accounts/store.ts'
import { probeStorage, type StorageState } from './probe.ts'

/**
 * Makes the sessions' directory and proves that it holds what is written.
 * @returns what was found; `unmounted`: HETZNER_SESSIONS_PATH is a plain directory, so no volume is mounted there
 * @throws AppError bad_config: what is wrong with it, and which setting to change
 */
export async function prepareSessionsPath(config: Config): Promise<{ storage: StorageState; unmounted: boolean }> {
  const { sessionsPath, volumePath } = config
  const fail = (what: string): never => {
    throw new AppError('bad_config', what)
  }
  if (volumePath !== undefined) {
    const volume = await stat(volumePath).catch(() => undefined)
    if (!volume?.isDirectory()) {
      fail(`HETZNER_SESSIONS_PATH is "${volumePath}", which is not a directory: is the volume mounted?`)
    }
  }
  const unmounted = volumePath !== undefined && (await isOnItsParentsDisk(volumePath))
  try {
    await mkdir(sessionsPath, { recursive: true, mode: 0o700 })
  } catch (error) {
    fail(
      `The sessions' directory ${sessionsPath} could not be made (${errnoOf(error) ?? messageOf(error)}): set SESSIONS_PATH to one that this user can write.`,
    )
  }
  const storage = await probeStorage(sessionsPath)
  if (storage.problem !== null && !(storage.full && (await hasAccounts(sessionsPath)))) {
    fail(`The sessions can not be kept: ${storage.problem}. Set SESSIONS_PATH, or mend the disk.`)
  }
  return { storage, unmounted }
}

async function isOnItsParentsDisk(path: string): Promise<boolean> {
  const [own, parent] = await Promise.all([stat(path), stat(dirname(path))])
  return own.dev === parent.dev
}

/**
 * A service that has accounts comes up on a full disk as well: nothing is connected before there is room, but the page
 * says why, and everything returns by itself once there is.
 */
async function hasAccounts(sessionsPath: string): Promise<boolean> {
  return (await stat(join(sessionsPath, ACCOUNTS_FILE)).catch(() => undefined)) !== undefined
}

/**
 * ADMIN_TOKEN, else the token of an earlier start, else a new one, kept 0600 beside the sessions.
 * @returns the token, and where it was written when this call made it
 * @throws AppError bad_config when the one that was kept can't be read
 */
export async function adminToken(config: Config): Promise<{ value: string; madeAt: string | undefined }> {
  if (config.adminToken !== undefined) return { value: config.adminToken, madeAt: undefined }
  const path = join(config.sessionsPath, 'admin-token')
  let kept: string | undefined
  try {
    kept = (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') {
      throw new AppError(
        'bad_config',
        `${path} can not be read (${errnoOf(error) ?? messageOf(error)}): mend it, or set ADMIN_TOKEN.`,
      )
    }
  }
  if (kept !== undefined && kept.length > 0) return { value: kept, madeAt: undefined }
  const value = randomBytes(32).toString('hex')
  await writeFileAtomic(path, `${value}\n`)
  return { value, madeAt: path }
}
