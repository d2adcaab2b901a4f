const DAY_MS = 86_400_000
/** More restarts a day are no longer counted one by one. */
const MOST_RESTARTS = 2000

/** Of times in epoch ms, those of the last day before `nowMs`. */
export function recentRestarts(timesMs: readonly number[], nowMs: number): readonly number[] {
  return timesMs.filter((atMs) => nowMs - atMs < DAY_MS).slice(-MOST_RESTARTS)
}
