import { writeFileSync } from 'node:fs'

/**
 * Whom the kernel takes where memory runs out: the process with the most, a point counting for a thousandth of all memory.
 * Workers before the supervisor; and of the workers one that has just begun, so that on a machine with too many accounts
 * those that are connected stay so, and only those that found no room go on trying. Set by the supervisor at the fork: the
 * worker itself would come to it when it has all its code.
 */
export const OOM_SCORES = { begun: 1000, settled: 500 } as const

/** Where it can't be set (another system, a container, a process that is gone), the kernel goes by size alone. */
export function setOomScore(pid: number | 'self', score: number): void {
  try {
    // A write to the kernel, not to a disk.
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score))
  } catch {
    // See above.
  }
}
