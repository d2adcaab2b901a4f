import type { Clock } from './clock.ts'

/** What `withDeadline` resolves to when the work was not done in time: a value, because lateness is expected. */
export const LATE = Symbol('late')

/**
 * The result of `work`, or LATE after `deadlineMs`. The work itself goes on: whoever calls decides what its late end
 * means. A rejection of the work rejects here if it comes in time, and is swallowed if it comes late.
 */
export function withDeadline<T>(work: Promise<T>, deadlineMs: number, clock: Clock): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(deadlineMs, () => resolve(LATE))
    work.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error instanceof Error ? error : new Error(String(error)))
      },
    )
  })
}
