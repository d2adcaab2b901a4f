/**
 * Whether a session that WhatsApp has refused for good is set aside. One account that is refused was unlinked at its
 * phone. Several within minutes are WhatsApp's own trouble, or a fault of ours, more likely than as many people with
 * phones in their hands: those sessions stay where they are and are tried again, and only a second refusal, later, is
 * believed. Times are monotonic milliseconds.
 */
export interface Refusals {
  /** Account -> when it was refused first. */
  readonly firstMs: ReadonlyMap<string, number>
}

export const NO_REFUSALS: Refusals = { firstMs: new Map() }

/** The third account within this time makes it a matter of the fleet. */
export const MANY = 3
export const WINDOW_MS = 10 * 60_000
/** A refusal this long after the first one is believed. Less than the ten minutes after which a held session is tried again. */
export const BELIEVED_AFTER_MS = 9 * 60_000
/** After this a refusal is a first one again. */
const MEMORY_MS = 60 * 60_000

/** @returns whether this account's session may be set aside, and what is to be remembered */
export function judgeRefusal(
  refusals: Refusals,
  accountId: string,
  nowMs: number,
): { refusals: Refusals; allowed: boolean } {
  const firstMs = new Map([...refusals.firstMs].filter(([, atMs]) => nowMs - atMs < MEMORY_MS))
  const before = firstMs.get(accountId)
  firstMs.set(accountId, before ?? nowMs)
  if (before !== undefined && nowMs - before >= BELIEVED_AFTER_MS) return { refusals: { firstMs }, allowed: true }
  const recent = [...firstMs.values()].filter((atMs) => nowMs - atMs < WINDOW_MS).length
  return { refusals: { firstMs }, allowed: recent < MANY }
}

/** Accounts that were refused within the window: a matter of the fleet when there are MANY. */
export function recentRefusals({ firstMs }: Refusals, nowMs: number): number {
  return [...firstMs.values()].filter((atMs) => nowMs - atMs < WINDOW_MS).length
}

/** The account is connected again: what was held against it is over. */
export function forgetRefusal(refusals: Refusals, accountId: string): Refusals {
  if (!refusals.firstMs.has(accountId)) return refusals
  const firstMs = new Map(refusals.firstMs)
  firstMs.delete(accountId)
  return { firstMs }
}
