import type { BackupTuning } from './backup/create-backups.ts'
import { GATE_LIMITS, type GateLimits } from './core/connect-gate.ts'

/** Times and counts that are no settings: nobody has a reason to change them, but tests can't wait for some. */
export interface Tuning {
  heartbeatIntervalMs: number
  heartbeatDeadlineMs: number
  startDeadlineMs: number
  startSlots: number
  /** But for the rates, which are settings. */
  gateLimits: Omit<GateLimits, 'maxPerSecond' | 'minPerSecond'>
  /** WhatsApp must have refused a session for this long before it is set aside. */
  refusalPeriodMs: number
  /** No worker retires younger than this. */
  retirementMinUptimeMs: number
  /** Another program in the place of the worker; null: the worker. */
  workerEntry: string | null
  /** So many sockets a worker opens before it goes on in a fresh process: worker/core/connection-state.ts. */
  renewAfterSockets: number
  backup: BackupTuning
}

export const PRODUCTION: Tuning = {
  // Each wakes two processes that have nothing else to do: at 200 accounts they are half of what an idle service costs.
  heartbeatIntervalMs: 10_000,
  // Two heartbeats missed. The longest honest pause of an event loop here is a first pairing's 812 keys: 0.5 s.
  heartbeatDeadlineMs: 30_000,
  startDeadlineMs: 60_000,
  // A start is a quarter of a second of one core, a first pairing a third; more at once only makes each of them late.
  startSlots: 2,
  gateLimits: GATE_LIMITS,
  // An outage at WhatsApp that shows as refusals is usually shorter; a session is a walk to a phone.
  refusalPeriodMs: 10 * 60_000,
  // A limit that is too low costs two reconnects an hour then, and no more.
  retirementMinUptimeMs: 30 * 60_000,
  workerEntry: null,
  // The CPU of a reconnect has grown by a quarter by then.
  renewAfterSockets: 200,
  backup: {},
}
