/**
 * When a process goes on in a fresh one. Memory that has grown is not given back, and Baileys leaves something behind
 * with each socket that makes every promise slower; a new process on the same session costs a second. It does so in a
 * quiet moment, and never soon after it began: a limit that is too low must not become a loop. Times are monotonic
 * milliseconds.
 */
export interface RetirementLimits {
  /** Resident memory, WORKER_MEMORY_MB. */
  memoryLimitBytes: number
  /** No process retires younger than this. */
  minUptimeMs: number
}

export interface HealthSample {
  nowMs: number
  uptimeMs: number
  rssBytes: number
  /** CPU time since the last sample as a share of the time between: 1 is a whole core. */
  cpuShare: number
  /** Since the last message came; Infinity when none has. */
  quietForMs: number
}

export interface Health {
  /** Since when the memory has been over its limit; null while it is not. */
  overMemorySinceMs: number | null
  /** Since when the process has been busy with nothing to do; null while it is not. */
  busySinceMs: number | null
}

export const HEALTHY: Health = { overMemorySinceMs: null, busySinceMs: null }

/** As long without a message counts as a quiet moment. */
export const QUIET_MS = 20_000
/** An account that is never quiet does not grow for ever. */
export const PATIENCE_MS = 10 * 60_000
/** A quiet account takes 1 % of a core; a third of one, for minutes, with nothing to do, is sick. */
export const BUSY_SHARE = 0.33
export const BUSY_FOR_MS = 5 * 60_000

/** @returns what to remember, and why the process shall retire now, or null */
export function judgeHealth(
  health: Health,
  sample: HealthSample,
  limits: RetirementLimits,
): { health: Health; retire: 'memory' | 'cpu' | null } {
  const { nowMs, quietForMs } = sample
  const isQuiet = quietForMs >= QUIET_MS
  const isOver = sample.rssBytes > limits.memoryLimitBytes
  const isBusy = isQuiet && sample.cpuShare >= BUSY_SHARE
  const next: Health = {
    overMemorySinceMs: isOver ? (health.overMemorySinceMs ?? nowMs) : null,
    busySinceMs: isBusy ? (health.busySinceMs ?? nowMs) : null,
  }
  if (sample.uptimeMs < limits.minUptimeMs) return { health: next, retire: null }
  if (next.overMemorySinceMs !== null && (isQuiet || nowMs - next.overMemorySinceMs >= PATIENCE_MS)) {
    return { health: next, retire: 'memory' }
  }
  if (next.busySinceMs !== null && nowMs - next.busySinceMs >= BUSY_FOR_MS) return { health: next, retire: 'cpu' }
  return { health: next, retire: null }
}
