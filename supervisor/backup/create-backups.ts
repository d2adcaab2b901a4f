import { hostname } from 'node:os'
import type { Clock } from '../../shared/clock.ts'
import { AppError, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Registry } from '../accounts/registry.ts'
import type { BackupConfig } from '../config-backup.ts'
import { BACKUP_LIMITS, type BackupLimits } from '../core/backup-state.ts'
import { Backups } from './backups.ts'
import { hostId } from './host-id.ts'
import { Removals } from './removals.ts'
import type { SealArchive } from './seal-archive.ts'
import type { BackupTarget, SealedArchive } from './target.ts'

/** Where backups go and how they are sealed: Firestore's, or a test's. */
export interface BackupPlace {
  target: BackupTarget
  seal: SealArchive
  open: OpenArchive
  /** Ends what seals and opens; the target is closed by then. */
  stop: () => Promise<void>
  debounceMs: number
  intervalMs: number
}

/** Rejects with a BackupError: damaged, wrong_key. */
export type OpenArchive = (accountId: string, archive: SealedArchive) => Promise<Buffer>

/** For tests that can't wait for the times of production. */
export type BackupTuning = Partial<BackupLimits> & { leaseMs?: number; hostName?: string; restoreRetryMs?: number }

/** Five missed signs of life, one a minute; long enough for a restart of the machine to find its accounts still its own. */
export const LEASE_MS = 5 * 60_000

/** What was removed here, whether backups are kept or not. */
export async function loadRemovals(sessionsPath: string, log: Log): Promise<Removals> {
  const removals = new Removals(sessionsPath)
  const problem = await removals.load()
  if (problem !== undefined) {
    log.error({ event: 'backup.removals_damaged' }, `${problem}: backups of accounts that were removed may be kept`)
  }
  return removals
}

/** @throws AppError bad_config: the host's id, beside the sessions, can not be read or written */
export async function createBackups(
  place: BackupPlace,
  options: {
    sessionsPath: string
    version: string
    removals: Removals
    registry: Registry
    clock: Clock
    log: Log
    random: () => number
    tuning?: BackupTuning
  },
): Promise<Backups> {
  const { sessionsPath, version, removals, registry, clock, log, random, tuning = {} } = options
  const { leaseMs = LEASE_MS, hostName = hostname(), ...limits } = tuning
  return new Backups({
    target: place.target,
    seal: place.seal,
    registry,
    clock,
    log,
    random,
    host: { hostId: await hostId(sessionsPath), name: hostName, version },
    removals,
    limits: { ...BACKUP_LIMITS, debounceMs: place.debounceMs, intervalMs: place.intervalMs, ...limits },
    leaseMs,
  })
}

/** Firestore and the ring of keys, loaded only here: who keeps no backups pays nothing for them. */
export async function openPlace(config: BackupConfig, clock: Clock, log: Log): Promise<BackupPlace> {
  const { createFirestoreTarget } = await import('./firestore/connect.ts')
  const { Archives } = await import('./archives.ts')
  const { parseKeyRing } = await import('./seal.ts')
  const { projectId, prefix, credentialsPath, emulatorHost, debounceMs, intervalMs } = config
  const base64 = (key: Buffer): string => key.toString('base64')
  const archives = new Archives({ keyRing: parseKeyRing(base64(config.key), config.oldKeys.map(base64)), clock })
  const where = emulatorHost !== null ? { emulatorHost } : { credentialsPath: credentialsPath ?? '' }
  try {
    return {
      target: await createFirestoreTarget({ projectId, prefix, clock, log, ...where }),
      seal: (plain) => archives.sealArchive(plain),
      open: (accountId, archive) => archives.openArchive(accountId, archive),
      stop: () => archives.stop(),
      debounceMs,
      intervalMs,
    }
  } catch (error) {
    await archives.stop()
    throw new AppError('bad_config', messageOf(error), { cause: error })
  }
}
