import { hostname } from 'node:os'
import type { Clock } from '../../shared/clock.ts'
import { AppError } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Registry } from '../accounts/registry.ts'
import type { BackupConfig } from '../config-backup.ts'
import { BACKUP_LIMITS, type BackupLimits } from '../core/backup-state.ts'
import { Backups, type SealArchive } from './backups.ts'
import { hostId } from './host-id.ts'
import { Removals } from './removals.ts'
import type { BackupTarget } from './target.ts'

/** Where backups go and how they are sealed: Firestore's, or a test's. */
export interface BackupPlace {
  target: BackupTarget
  seal: SealArchive
  debounceMs: number
  intervalMs: number
}

/** For tests that can't wait for the times of production. */
export type BackupTuning = Partial<BackupLimits> & { leaseMs?: number; hostName?: string }

/** Five missed signs of life, one a minute; long enough for a restart of the machine to find its accounts still its own. */
const LEASE_MS = 5 * 60_000

/** @throws AppError bad_config: what backups keep beside the sessions can not be read or written */
export async function createBackups(
  place: BackupPlace,
  options: {
    sessionsPath: string
    version: string
    registry: Registry
    clock: Clock
    log: Log
    random: () => number
    tuning?: BackupTuning
  },
): Promise<Backups> {
  const { sessionsPath, version, registry, clock, log, random, tuning = {} } = options
  const { leaseMs = LEASE_MS, hostName = hostname(), ...limits } = tuning
  const removals = new Removals(sessionsPath)
  const problem = await removals.load()
  if (problem !== undefined) {
    log.error({ event: 'backup.removals_damaged' }, `${problem}: backups of accounts that were removed may be kept`)
  }
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
export async function openPlace(config: BackupConfig): Promise<BackupPlace> {
  // Until the target is there, the settings are refused rather than believed.
  throw new AppError('bad_config', `Backups to Firestore (${config.projectId}) are not built in yet.`)
}
