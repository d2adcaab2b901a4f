import { writeFileSync } from 'node:fs'

/**
 * Whom the kernel takes where memory runs out: the process with the most, a point counting for a thousandth of all memory.
 * Workers before the supervisor; and of the workers first one that this supervisor has not seen connected, then one that has just
 * begun again, then one that has just logged in, so that on a machine with too many accounts those that are connected stay
 * so as long as there is another, and those that found no room go on trying. The first two are set by the supervisor at the
 * fork, since the worker itself would come to it when it has all its code; the others by the worker.
 */
export const OOM_SCORES = { unproven: 1000, begun: 750, connected: 600, settled: 500 } as const

/** Where it can't be set (another system, a process that is gone), a worker is as safe as the supervisor until it settles. */
export function setOomScore(pid: number | 'self', score: number): void {
  try {
    // A write to the kernel, not to a disk.
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score))
  } catch {
    // See above.
  }
}
