import { phaseOf } from '../../shared/phase.ts'

/**
 * When a worker has V8 collect its garbage and give the pages back. Left alone V8 keeps what a burst of messages took: its
 * own reducer starts only when the heap has grown by another 10 MiB. A full collection of an account's heap stops the
 * process for 50 to 90 ms, so it happens in a quiet moment and only where there is something to gain. Times are monotonic ms.
 */
export interface Collections {
  /** Heap and external memory after the last one; 0 before the first. */
  usedBytes: number
  /** When the last one was; the start of the process before the first. */
  lastMs: number
}

export interface CollectionSample {
  nowMs: number
  /** Since anything of the account happened. */
  quietForMs: number
  /** Heap and external memory in use, garbage included. */
  usedBytes: number
  /** Of this account: `patienceOf`. */
  patienceMs: number
}

/** Nothing for so long is a quiet moment. Also what a first history leaves between two of its parts. */
export const QUIET_MS = 20_000
/** An account that writes every few seconds all day is never quiet: after so long, and up to so much longer, any pause will do. */
export const PATIENCE_MS = 5 * 60_000
export const PATIENCE_SPREAD_MS = 2 * 60_000
export const SHORT_PAUSE_MS = 1000
/** Less is not worth the pause. */
export const WORTH_BYTES = 3 * 1024 * 1024
/** At most 0.15 % of a core. */
export const APART_MS = 60_000

/** Each account has its own: a message that comes during a collection waits, and not those of all accounts at once. */
export function patienceOf(accountId: string): number {
  return PATIENCE_MS + phaseOf(accountId, PATIENCE_SPREAD_MS)
}

export function shouldCollect(last: Collections, sample: CollectionSample): boolean {
  const { nowMs, quietForMs, usedBytes, patienceMs } = sample
  if (usedBytes - last.usedBytes < WORTH_BYTES) return false
  const sinceMs = nowMs - last.lastMs
  // The first one needs no distance: a start leaves the most.
  if (last.usedBytes > 0 && sinceMs < APART_MS) return false
  return quietForMs >= (sinceMs >= patienceMs ? SHORT_PAUSE_MS : QUIET_MS)
}
