import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { lockSession } from '../../shared/session/session-lock.ts'
import { restoreFileName } from '../../shared/session/restore-file.ts'
import { hasSession } from '../accounts/discover.ts'
import { BackupError, type ArchiveInfo, type BackupTarget, type SealedArchive } from './target.ts'

/**
 * Brings the session of an account back from its backup, into a directory that holds none. The newest archive that opens
 * is taken; it is written beside nothing else, whole under its name or not there, and the account's worker makes the
 * session of it (worker/session/recover.ts), which it verifies record by record. A session on the disk always wins.
 */
export interface RestoreOptions {
  target: BackupTarget
  openArchive: (accountId: string, archive: SealedArchive) => Promise<Buffer>
  /** Makes the account this host's; see Claims.claimForRestore. */
  claim: (accountId: string) => Promise<void>
  sessionsPath: string
  log: Log
}

export type Restored =
  /** The archive waits in the account's directory. */
  | { outcome: 'placed'; archive: ArchiveInfo }
  /** There is a session on the disk: nothing was fetched, or nothing placed. */
  | { outcome: 'present' }
  /** No backup was ever made. */
  | { outcome: 'nothing' }
  /** It was wanted no more when it was there: nothing was placed. */
  | { outcome: 'unwanted' }

/** The account's worker is not running; whoever else holds the directory is another program. */
const LOCK_WAIT_MS = 2000

export interface RestoreWord {
  /** The operator wants the backup in place of a session that is damaged: it is put beside it. */
  overDamaged?: boolean
  /** Asked under the directory's lock: an account that was removed while its backup was read does not come back. */
  stillWanted?: () => boolean
}

/**
 * @throws BackupError owned_elsewhere, unreachable and the like; damaged or wrong_key when no archive opens
 * @throws SessionError session_locked, storage_*
 */
export async function restoreSession(
  accountId: string,
  options: RestoreOptions,
  { overDamaged = false, stillWanted = () => true }: RestoreWord = {},
): Promise<Restored> {
  const { target, claim, sessionsPath, log } = options
  if (!overDamaged && (await hasSession(sessionsPath, accountId))) return { outcome: 'present' }
  const archives = await target.listArchives(accountId)
  if (archives.length === 0) return { outcome: 'nothing' }
  // Before anything is used: two hosts on one session would take it from each other.
  await claim(accountId)
  const { bytes, archive } = await openNewest(accountId, archives, options)
  const outcome = await place(sessionsPath, accountId, bytes, archive, { overDamaged, stillWanted })
  if (outcome !== 'placed') return { outcome }
  const { rev, savedAtMs, sessionRevision } = archive
  log.warn({ event: 'session.restored', accountId, rev, savedAtMs, sessionRevision }, 'A backup becomes the session')
  return { outcome: 'placed', archive }
}

/** The newest one that opens; of the others a line says what was wrong with them. */
export async function openNewest(
  accountId: string,
  archives: readonly ArchiveInfo[],
  { target, openArchive, log }: Pick<RestoreOptions, 'target' | 'openArchive' | 'log'>,
): Promise<{ bytes: Buffer; archive: ArchiveInfo }> {
  let problem: BackupError | undefined
  for (const archive of archives) {
    try {
      const bytes = await openArchive(accountId, await target.readArchive(accountId, archive.rev))
      return { bytes, archive }
    } catch (error) {
      const isItsOwn = error instanceof BackupError && ['damaged', 'wrong_key', 'not_found'].includes(error.code)
      if (!isItsOwn) throw error
      problem ??= error
      log.error({ event: 'backup.unusable', accountId, rev: archive.rev, cause: messageOf(error) }, 'Backup')
    }
  }
  throw problem ?? new BackupError('not_found', `There is no backup of "${accountId}".`)
}

/** @returns `present` when a session has come meanwhile */
async function place(
  sessionsPath: string,
  accountId: string,
  bytes: Buffer,
  { savedAtMs }: ArchiveInfo,
  { overDamaged, stillWanted }: Required<RestoreWord>,
): Promise<Restored['outcome']> {
  const dir = join(sessionsPath, accountId)
  // Before a directory is made that a removal has just taken away.
  if (!stillWanted()) return 'unwanted'
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const lock = await lockSession({ dir, waitMs: LOCK_WAIT_MS })
  try {
    if (!stillWanted()) return 'unwanted'
    if (!overDamaged && (await hasSession(sessionsPath, accountId))) return 'present'
    await removeHalfRestored(dir)
    const path = join(dir, restoreFileName(savedAtMs))
    const temporary = `${path}.tmp`
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncDir(dir)
    await syncDir(sessionsPath)
    return 'placed'
  } finally {
    await lock.release()
  }
}

async function syncDir(path: string): Promise<void> {
  const dir = await open(path, 'r')
  try {
    await dir.sync()
  } finally {
    await dir.close()
  }
}

/** What attempts that were killed left behind: an opened session, or half of one. The caller holds the directory's lock. */
async function removeHalfRestored(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (/^session\.restore-\d+\.tmp$/.test(name)) await rm(join(dir, name), { force: true })
  }
}
