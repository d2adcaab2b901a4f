/** When the live feed is taken for lost, and when it is asked for again. */

/** The service sends a comment every 15 s: two that don't come, and some time for a slow network. */
export const SILENCE_MS = 40_000
/** An answer that does not begin: a proxy that holds it back, a network that swallows it. */
export const ANSWER_MS = 15_000
const LONGEST_DELAY_MS = 10_000

/**
 * After the n-th failure in a row. The first is asked again nearly at once, which is what a restart of the service needs.
 * @param random 0 to 1: all pages of a team come back after the same restart
 */
export function retryDelayMs(failures: number, random: number): number {
  const longest = Math.min(LONGEST_DELAY_MS, 500 * 2 ** Math.min(10, Math.max(0, failures - 1)))
  return Math.round(longest * (0.5 + random / 2))
}
