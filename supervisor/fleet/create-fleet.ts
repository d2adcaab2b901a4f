import type { Clock } from '../../shared/clock.ts'
import type { LogTarget } from '../../shared/ipc.ts'
import type { Log } from '../../shared/log.ts'
import { movePutBack } from '../accounts/put-back.ts'
import type { Registry } from '../accounts/registry.ts'
import { retireSession } from '../accounts/retire-session.ts'
import type { AccountStore } from '../accounts/store.ts'
import type { Backups } from '../backup/backups.ts'
import type { Removals } from '../backup/removals.ts'
import type { Config } from '../config.ts'
import type { LogBook } from '../feed/log-book.ts'
import type { Tuning } from '../tuning.ts'
import { Fleet, type FleetOptions } from './fleet.ts'
import type { WorkerProgram } from './worker-program.ts'

export interface FleetParts {
  config: Config
  tuning: Tuning
  registry: Registry
  store: AccountStore
  program: WorkerProgram
  /** Undefined where none are kept. */
  backups: Backups | undefined
  removals: Removals
  fetchBackup: FleetOptions['fetchBackup']
  logs: LogBook
  /** Undefined: JSON to this process's own output. */
  logTarget: LogTarget | undefined
  clock: Clock
  log: Log
  random: () => number
}

/** What the configuration says, as the fleet wants to be told it. */
export function createFleet(parts: FleetParts): Fleet {
  const { config, tuning, registry, store, program, backups, removals, fetchBackup, logs, clock, log, random } = parts
  return new Fleet({
    registry,
    store,
    clock,
    log,
    random,
    program,
    startMessage: {
      sessionsPath: config.sessionsPath,
      logLevel: config.logLevel,
      logTarget: parts.logTarget ?? { kind: 'json' },
      socket: {
        url: config.waSocketUrl,
        noiseRootKey: config.waNoiseRootKey,
      },
      policy: {
        maxReconnectAttempts: config.maxReconnectAttempts,
        refusalPeriodMs: tuning.refusalPeriodMs,
        healthCheckIntervalMs: config.healthCheckIntervalMs,
        staleConnectionThresholdMs: config.staleConnectionThresholdMs,
        renewAfterSockets: tuning.renewAfterSockets,
      },
      retirement: {
        memoryLimitBytes: config.workerMemoryMb * 1024 * 1024,
        minUptimeMs: tuning.retirementMinUptimeMs,
      },
      heartbeatIntervalMs: tuning.heartbeatIntervalMs,
    },
    childLimits: {
      startDeadlineMs: tuning.startDeadlineMs,
      heartbeatDeadlineMs: tuning.heartbeatDeadlineMs,
      // Killed a little earlier, so that the whole is over within the time that was promised.
      stopDeadlineMs: Math.round(config.shutdownTimeoutMs * 0.9),
    },
    clientVersion: {
      configured: config.waVersion === null ? null : [...config.waVersion],
      url: config.waVersionUrl,
    },
    stagger: { minMs: config.spawnStaggerMinMs, maxMs: config.spawnStaggerMaxMs },
    gateLimits: {
      ...tuning.gateLimits,
      maxPerSecond: config.connectRateMax,
      minPerSecond: config.connectRateMin,
    },
    startSlots: tuning.startSlots,
    sessionWatch: backups ?? null,
    onLog: (accountId, lines, dropped) => logs.add(accountId, lines, dropped),
    retireSession: async (record, lockWaitMs) => {
      await retireSession(config.sessionsPath, record, clock.nowMs(), lockWaitMs)
      // On the disk before the account is forgotten: else a restore would bring it back.
      // Where no backups are kept, there may be some of before, and the next one who configures them restores them.
      await (backups?.noteRemoval(record.accountId) ?? removals.add(record.accountId, clock.nowMs()))
    },
    fetchBackup,
    movePutBack: (accountId, session) => movePutBack(config.sessionsPath, accountId, session, clock.nowMs()),
  })
}
