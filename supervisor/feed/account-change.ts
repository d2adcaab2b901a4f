import type { AccountView } from '../views/account-view.ts'

/**
 * What of a change is told at once, and what can wait for the next batch: `status` is what a person would call a
 * transition, `activity` what moves all the time.
 */
export type Change = 'status' | 'activity' | 'nothing'

/** A next try is worked out from two clocks each time: some milliseconds are no news. */
const SAME_TRY_MS = 1000
/** Memory, CPU and delays within a step of these look the same to a person, and to a chart. */
const RSS_STEP_BYTES = 1024 * 1024
const CPU_STEP_PERCENT = 1
const DELAY_STEP_MS = 20

export function changeOf(before: AccountView, now: AccountView): Change {
  if (statusKey(before) !== statusKey(now) || !isSameTry(before.nextTryAt, now.nextTryAt)) return 'status'
  return activityKey(before) === activityKey(now) ? 'nothing' : 'activity'
}

/** What a batch of activity says of an account. */
export function activityOf(view: AccountView): object {
  const { accountId, lastEventAt, lastMessageAt, activity, messages, decryptFailures, backup } = view
  const { rssBytes, cpuPercent, loopDelayMs } = view.process
  const process = { rssBytes, cpuPercent, loopDelayMs }
  return { accountId, lastEventAt, lastMessageAt, activity, messages, decryptFailures, process, backup }
}

function statusKey(view: AccountView): string {
  const { name, phone, status, reason, detail, todo, needsPerson, desired, notice, attempt } = view
  const { reconnectCount, restarts24h, needsQR } = view
  const { state, pid, startedAt, crashCount, generation } = view.process
  return JSON.stringify([
    todo,
    [name, phone, status, reason, detail, needsPerson, desired, notice, attempt, reconnectCount, restarts24h, needsQR],
    [state, pid, startedAt, crashCount, generation],
  ])
}

function activityKey(view: AccountView): string {
  const { lastEventAt, lastMessageAt, activity, messages, decryptFailures, backup } = view
  const { rssBytes, cpuPercent, loopDelayMs } = view.process
  const steps = [
    inSteps(rssBytes, RSS_STEP_BYTES),
    inSteps(cpuPercent, CPU_STEP_PERCENT),
    inSteps(loopDelayMs, DELAY_STEP_MS),
  ]
  // Its age grows by itself.
  const kept = backup === null ? null : { ...backup, ageMs: null }
  return JSON.stringify([lastEventAt, lastMessageAt, activity, messages, decryptFailures, kept, steps])
}

function inSteps(value: number | null, step: number): number | null {
  return value === null ? null : Math.round(value / step)
}

export function isSameTry(before: string | null, now: string | null): boolean {
  if (before === null || now === null) return before === now
  return Math.abs(Date.parse(before) - Date.parse(now)) < SAME_TRY_MS
}
