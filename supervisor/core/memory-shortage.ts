/**
 * Workers that the kernel has killed because memory ran out. A SIGKILL does not say who sent it; the kernel's own count of
 * such kills does, when it has grown since it was last looked at.
 */
export interface MemoryShortage {
  /** The kernel's count, when it was last read; null where it can't be. */
  readonly counted: number | null
  /** Kills of workers within the last SHORT_FOR_MS, oldest first, monotonic ms. */
  readonly kills: readonly { readonly accountId: string; readonly atMs: number }[]
}

/** So long after a kill the machine counts as short of memory. */
export const SHORT_FOR_MS = 10 * 60_000
/** The kernel's count may have had two kills in it when the first of two ends was heard of. */
const TOGETHER_MS = 5000
const MOST_KEPT = 1000

export function noShortage(counted: number | null): MemoryShortage {
  return { counted, kills: [] }
}

/**
 * A worker was killed, and not by this service.
 * @param counted the kernel's count now; null where it can't be read, and then nobody knows
 * @returns whether it was for want of memory
 */
export function judgeKill(
  shortage: MemoryShortage,
  accountId: string,
  counted: number | null,
  nowMs: number,
): { shortage: MemoryShortage; outOfMemory: boolean } {
  const last = shortage.kills.at(-1)
  const hasGrown = counted !== null && shortage.counted !== null && counted > shortage.counted
  const outOfMemory = hasGrown || (last !== undefined && nowMs - last.atMs < TOGETHER_MS)
  const kept = shortage.kills.filter(({ atMs }) => nowMs - atMs < SHORT_FOR_MS).slice(-MOST_KEPT)
  return {
    shortage: { counted, kills: outOfMemory ? [...kept, { accountId, atMs: nowMs }] : kept },
    outOfMemory,
  }
}

/** How many accounts lost their worker in the last SHORT_FOR_MS, and when the first did; null while none has. */
export function shortageAt({ kills }: MemoryShortage, nowMs: number): { firstMs: number; accounts: number } | null {
  const recent = kills.filter(({ atMs }) => nowMs - atMs < SHORT_FOR_MS)
  const [first] = recent
  if (first === undefined) return null
  return { firstMs: first.atMs, accounts: new Set(recent.map(({ accountId }) => accountId)).size }
}
