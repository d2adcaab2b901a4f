/**
 * Whether a session that WhatsApp has refused for good is set aside. One account that is refused was unlinked at its
 * phone. Several within minutes are WhatsApp's own trouble, or a fault of ours, more likely than as many people with
 * phones in their hands: those sessions stay where they are and are tried again, for as long as several are refused. None
 * of them is given up before it is refused alone, or the operator asks for a QR code. Times are monotonic milliseconds.
 */
export interface Refusals {
  /** Account -> when it was refused last. */
  readonly lastMs: ReadonlyMap<string, number>
}

export const NO_REFUSALS: Refusals = { lastMs: new Map() }

/** The third account within this time makes it a matter of the fleet. */
export const MANY = 3
/** Longer than the ten minutes after which a session that was kept is tried again: those that are kept see each other. */
export const WINDOW_MS = 15 * 60_000

/** @returns whether this account's session may be set aside, and what is to be remembered */
export function judgeRefusal(
  refusals: Refusals,
  accountId: string,
  nowMs: number,
): { refusals: Refusals; allowed: boolean } {
  const lastMs = new Map([...refusals.lastMs].filter(([, atMs]) => nowMs - atMs < WINDOW_MS))
  lastMs.set(accountId, nowMs)
  return { refusals: { lastMs }, allowed: lastMs.size < MANY }
}

/** Accounts that were refused within the window: a matter of the fleet when there are MANY. */
export function recentRefusals({ lastMs }: Refusals, nowMs: number): number {
  return [...lastMs.values()].filter((atMs) => nowMs - atMs < WINDOW_MS).length
}

/** The account is connected again: what was held against it is over. */
export function forgetRefusal(refusals: Refusals, accountId: string): Refusals {
  if (!refusals.lastMs.has(accountId)) return refusals
  const lastMs = new Map(refusals.lastMs)
  lastMs.delete(accountId)
  return { lastMs }
}
