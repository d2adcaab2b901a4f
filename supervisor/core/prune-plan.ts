import { COPYING_PREFIX, parseSetAsideName, PRUNING_PREFIX, PURGING } from '../../shared/session/set-aside-name.ts'

/**
 * Which of the sessions that were set aside are deleted, and when the clock is believed.
 *
 * A clock that jumps ahead (a dead RTC, a wrong hand) would make every session old at once, and nothing that the disk
 * says of its own times tells a jump from a service that was off for as long. So the time since the last look is bounded:
 * longer than CLOCK_GAP_MS, or negative, and the clock has to stand the test of a day before anything is deleted by it.
 * In that day NTP sets it right, no account gets past TLS, and the log says what is coming. A service that was off for a
 * month prunes one day later; nobody minds.
 */

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Prunes are a day apart; a machine that is off over a weekend is nothing special. */
const CLOCK_GAP_MS = 4 * DAY_MS
/** NTP may step back by this much without it meaning anything. */
const STEP_BACK_MS = HOUR_MS
/** A copy takes seconds: one that is older than this has nobody any more who makes it. */
const ABANDONED_MS = HOUR_MS

/** What is remembered from one prune to the next; epoch ms. */
export interface ClockTrust {
  readonly seenMs: number
  readonly trustedFromMs: number
}

/** @param before undefined when there is none, or none that can be read: the clock is then new to us */
export function trustClock(before: ClockTrust | undefined, nowMs: number): ClockTrust {
  const gapMs = before === undefined ? Infinity : nowMs - before.seenMs
  const trustedFromMs =
    before === undefined || gapMs > CLOCK_GAP_MS || gapMs < -STEP_BACK_MS ? nowMs + DAY_MS : before.trustedFromMs
  return { seenMs: nowMs, trustedFromMs }
}

export interface Entry {
  readonly name: string
  /** When the directory itself was last changed or renamed, epoch ms: `ctime`, which nobody can set. */
  readonly changedAtMs: number
}

export interface PrunePlan {
  /** Deletions, purges and copies that a crash cut short. */
  readonly leftovers: readonly string[]
  readonly tooOld: readonly { readonly id: string; accountId: string; reason: string; ageDays: number }[]
}

/**
 * @param entries the real directories below .set-aside, without links
 * @param keepDays 0: for ever
 * @param onTheirWay sessions whose put-back was begun
 */
export function planPrune(
  entries: readonly Entry[],
  keepDays: number,
  nowMs: number,
  onTheirWay: ReadonlySet<string> = new Set(),
): PrunePlan {
  const leftovers: string[] = []
  const tooOld: { id: string; accountId: string; reason: string; ageDays: number }[] = []
  for (const { name, changedAtMs } of entries) {
    const parsed = parseSetAsideName(name)
    if (
      name.startsWith(PRUNING_PREFIX) ||
      parsed?.reason === PURGING ||
      (name.startsWith(COPYING_PREFIX) && nowMs - changedAtMs > ABANDONED_MS)
    ) {
      leftovers.push(name)
      continue
    }
    if (parsed === undefined || keepDays === 0 || onTheirWay.has(name)) continue
    // The later of the two: a session that was set aside while the clock was years behind is as young as its directory,
    // and so is one that was brought back here from another disk yesterday.
    const ageDays = Math.floor((nowMs - Math.max(parsed.setAsideAtMs, changedAtMs)) / DAY_MS)
    if (ageDays < keepDays) continue
    const { id, accountId, reason } = parsed
    tooOld.push({ id, accountId, reason, ageDays })
  }
  return { leftovers, tooOld }
}
