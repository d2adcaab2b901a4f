import { BACKOFF, backoffMs } from '../../shared/backoff.ts'
import { EXIT, exitNameOf } from '../../shared/exit-codes.ts'
import type { Reason } from '../../shared/states.ts'

/**
 * What follows the end of a worker that nobody asked to end. A crash is never a reason to give an account up: its phone
 * is still linked, and the next start may well hold; only an end that would repeat itself word for word waits for a person.
 */

/** A worker that ran this long was healthy: the next crash is a first one again. */
export const HEALTHY_AFTER_MS = 60_000

/**
 * A worker that finds no memory, again and again, takes a login and a third of a second of CPU each time: seldom, then, and
 * a minute proves nothing, since the next one that wants memory may end it. After one that lived as long as the longest pause,
 * it comes back after a second like any other.
 */
export const NO_MEMORY_BACKOFF = { ...BACKOFF, capMs: 10 * 60_000 }

export interface ChildExit {
  /** The exit code; null when a signal ended the process. */
  code: number | null
  signal: string | null
  /** The supervisor killed it because it stopped answering. */
  hung: boolean
  /** The kernel ended it because memory ran out. */
  outOfMemory: boolean
  /** How long the process had lived. */
  uptimeMs: number
}

export type AfterExit =
  | { do: 'restart'; delayMs: number; failures: number; reason: Reason }
  | { do: 'give_up'; failures: number; reason: Reason }

/**
 * @param failures crashes in a row before this one
 * @param random in [0, 1)
 * @returns the new count of failures, and whether and when to start again
 */
export function afterUnwantedExit(exit: ChildExit, failures: number, random: number): AfterExit {
  const name = exit.code === null ? undefined : exitNameOf(exit.code)
  const healthyAfterMs = exit.outOfMemory ? NO_MEMORY_BACKOFF.capMs : HEALTHY_AFTER_MS
  const count = exit.uptimeMs >= healthyAfterMs ? 1 : failures + 1
  if (name !== undefined && EXIT[name].restart === 'at_once') {
    return { do: 'restart', delayMs: 0, failures: 0, reason: 'starting' }
  }
  // What a person has to mend is named by what the process said of it, however it behaved on the way out.
  if (name !== undefined && EXIT[name].restart === 'never') {
    return { do: 'give_up', failures: count, reason: reasonOf(name, false) }
  }
  if (exit.outOfMemory) {
    const delayMs = backoffMs(count, random, NO_MEMORY_BACKOFF)
    return { do: 'restart', delayMs, failures: count, reason: 'out_of_memory' }
  }
  return { do: 'restart', delayMs: backoffMs(count, random), failures: count, reason: reasonOf(name, exit.hung) }
}

function reasonOf(name: ReturnType<typeof exitNameOf>, hung: boolean): Reason {
  if (hung) return 'worker_hung'
  switch (name) {
    case 'sessionDamaged':
      return 'session_damaged'
    case 'sessionLocked':
      return 'session_locked'
    case 'storageFailed':
      return 'storage_failed'
    case 'ok':
    case 'notFlushed':
    case 'unavailable':
    case 'crashed':
    case 'renew':
    case 'badConfig':
    case undefined:
      return 'worker_crashed'
    default:
      return name satisfies never
  }
}
