import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../shared/atomic-file.ts'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'

/** Beside the sessions: who moves the disk to another machine moves the host with it. */
const HOST_ID_FILE = 'host-id'

/**
 * Under which name this host owns backups: random, made once. Two hosts must never share one, so a copy of the sessions'
 * directory that runs beside the original needs this file removed.
 * @throws AppError bad_config: it can not be read or written
 */
export async function hostId(sessionsPath: string): Promise<string> {
  const path = join(sessionsPath, HOST_ID_FILE)
  try {
    const text = (await readFile(path, 'utf8')).trim()
    if (/^[0-9a-f]{32}$/.test(text)) return text
    throw new AppError('bad_config', `${path} holds no host id: remove it, and a new one is made at the next start.`)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') {
      if (error instanceof AppError) throw error
      throw new AppError('bad_config', `${path} can not be read: ${messageOf(error)}.`, { cause: error })
    }
  }
  const made = randomBytes(16).toString('hex')
  try {
    await writeFileAtomic(path, `${made}\n`)
  } catch (error) {
    throw new AppError('bad_config', `${path} can not be written: ${messageOf(error)}.`, { cause: error })
  }
  return made
}
