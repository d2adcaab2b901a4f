/**
 * When each account's worker is started at boot: one after another, a random pause apart, so that a restart of 30
 * accounts is neither a storm at WhatsApp's door nor 30 processes compiling Baileys on two cores at once.
 */

export interface BootPace {
  /** SPAWN_STAGGER_MIN_MS, SPAWN_STAGGER_MAX_MS: the pause between two starts. */
  minMs: number
  maxMs: number
  /** The last of the first `budgetCount` starts comes no later than this: pauses shrink in proportion where needed. */
  budgetMs: number
  budgetCount: number
}

/**
 * "The boot of 30 accounts inside 2 minutes" leaves the last one 20 s to connect. 29 pauses of 3.5 s are 101.5 s on
 * average, and up to 145 s with bad luck: that is what the budget cuts. A fleet of more than 30 gets the same pace.
 */
export const BOOT_BUDGET = { budgetMs: 100_000, budgetCount: 30 }

/**
 * Offsets from the begin of the boot, in ms, one per account, the first 0.
 * @param random returns numbers in [0, 1)
 */
export function planBoot(count: number, pace: BootPace, random: () => number): number[] {
  const pauses = Array.from({ length: Math.max(0, count - 1) }, () => pace.minMs + (pace.maxMs - pace.minMs) * random())
  const budgeted = pauses.slice(0, pace.budgetCount - 1).reduce((sum, pause) => sum + pause, 0)
  const shrink = budgeted > pace.budgetMs ? pace.budgetMs / budgeted : 1
  let offset = 0
  return [0, ...pauses.map((pause) => (offset += pause * shrink))].slice(0, count).map(Math.round)
}
