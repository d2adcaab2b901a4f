import type { ChildState } from './child-lifecycle.ts'
import { NO_MEMORY_BACKOFF } from './restart-policy.ts'

/**
 * Workers that the kernel has killed because memory ran out. A SIGKILL does not say who sent it; the kernel's own count of
 * such kills does.
 */
export interface MemoryShortage {
  /** The kernel's count, when it was last read; null where it never could be. */
  readonly counted: number | null
  /** Kills in that count whose process has not been heard of as ended yet. */
  readonly due: number
  /** When the count was last seen to grow, monotonic ms. */
  readonly grownMs: number
  /** Kills of workers within the last SHORT_FOR_MS, oldest first, monotonic ms. */
  readonly kills: readonly { readonly accountId: string; readonly atMs: number }[]
}

/** So long after a kill the machine counts as short of memory: two tries that are as far apart as they get see each other. */
export const SHORT_FOR_MS = NO_MEMORY_BACKOFF.capMs * 1.5
/** A kill that no end of a worker answers to was somebody else's. */
const DUE_FOR_MS = 60_000
const MOST_KEPT = 1000

export function noShortage(counted: number | null): MemoryShortage {
  return { counted, due: 0, grownMs: 0, kills: [] }
}

/**
 * A worker was killed, and not by this service.
 * @param counted the kernel's count now; null where it can't be read
 * @returns whether it was for want of memory; where nothing is counted, nobody knows
 */
export function judgeKill(
  shortage: MemoryShortage,
  accountId: string,
  counted: number | null,
  nowMs: number,
): { shortage: MemoryShortage; outOfMemory: boolean } {
  const grown = counted === null || shortage.counted === null ? 0 : Math.max(0, counted - shortage.counted)
  const grownMs = grown > 0 ? nowMs : shortage.grownMs
  const due = grown + (nowMs - shortage.grownMs < DUE_FOR_MS ? shortage.due : 0)
  const next = { ...shortage, counted: counted ?? shortage.counted, due, grownMs }
  if (due === 0) return { shortage: next, outOfMemory: false }
  return { shortage: noteShortage({ ...next, due: due - 1 }, accountId, nowMs), outOfMemory: true }
}

/** There was no memory for this account's worker. */
export function noteShortage(shortage: MemoryShortage, accountId: string, nowMs: number): MemoryShortage {
  const kept = shortage.kills.filter(({ atMs }) => nowMs - atMs < SHORT_FOR_MS).slice(-MOST_KEPT)
  return { ...shortage, kills: [...kept, { accountId, atMs: nowMs }] }
}

/** The account is not to run any more: what it took is there for others. */
export function forgetShortage(shortage: MemoryShortage, accountId: string): MemoryShortage {
  return { ...shortage, kills: shortage.kills.filter((kill) => kill.accountId !== accountId) }
}

/**
 * A worker has ended. If for good, its memory is there for the account that would try next. That this is enough has still
 * to be seen: the shortage goes on.
 * @param ended how its account stands after that
 * @returns the account that shall try at once; undefined where the end was not for good, or none waits
 */
export function heirOfMemory(
  ended: ChildState | undefined,
  accounts: readonly {
    readonly record: { readonly accountId: string }
    readonly child: { readonly state: ChildState }
  }[],
): string | undefined {
  if (ended?.name !== 'absent' && ended?.name !== 'given_up') return undefined
  let heir: { accountId: string; untilMs: number } | undefined
  for (const { record, child } of accounts) {
    const { state } = child
    if (state.name !== 'backing_off' || state.reason !== 'out_of_memory') continue
    if (heir === undefined || state.untilMs < heir.untilMs) {
      heir = { accountId: record.accountId, untilMs: state.untilMs }
    }
  }
  return heir?.accountId
}

/** How many accounts lost their worker within the last SHORT_FOR_MS. */
export function accountsShortOf({ kills }: MemoryShortage, nowMs: number): number {
  return new Set(kills.filter(({ atMs }) => nowMs - atMs < SHORT_FOR_MS).map(({ accountId }) => accountId)).size
}
