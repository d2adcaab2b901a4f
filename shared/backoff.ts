/** How long to wait before the next try: doubling from `firstMs` up to `capMs`, spread by `jitter`. */
export interface BackoffPolicy {
  firstMs: number
  capMs: number
  /** The share of the delay that is random, 0 to 1: at 0.2 a delay of 10 s becomes 9 to 11 s. */
  jitter: number
}

/** 1, 2, 4, 8, 16 s, cap 30 s: the service's one schedule, for reconnects and for restarts of a worker. */
export const BACKOFF: BackoffPolicy = { firstMs: 1000, capMs: 30_000, jitter: 0.2 }

/**
 * The delay before try number `attempt` (1 is the first retry), in ms.
 * @param random a number in [0, 1), such as Math.random() gives: accounts that fail together must not return together.
 */
export function backoffMs(attempt: number, random: number, policy: BackoffPolicy = BACKOFF): number {
  // 2 ** 30 is past every cap; the bound keeps the product finite after a year of failures.
  const doubled = policy.firstMs * 2 ** Math.min(Math.max(attempt, 1) - 1, 30)
  const capped = Math.min(doubled, policy.capMs)
  return Math.round(capped * (1 + policy.jitter * (random - 0.5)))
}
