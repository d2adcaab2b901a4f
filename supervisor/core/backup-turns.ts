import { isUnsaved, type AccountBackup, type BackupLimits, type BackupPlan, type BackupWork } from './backup-state.ts'

/** Whose turn it is in backup-plan.ts: what could be begun, in which order, and how much of it at once. */
const HEAD_START = { pairedMs: 60_000, credsMs: 30_000 }

/** So many different accounts failed in a row that it is the target's trouble. */
export function isClosed(plan: BackupPlan, limits: BackupLimits): boolean {
  return plan.failing.size >= limits.closeAfter
}

export interface Candidate {
  accountId: string
  work: BackupWork
  dueMs: number
  /** Smallest first. */
  order: number
}

/** What could be begun for each account, and when. */
export function candidates(plan: BackupPlan, limits: BackupLimits): Candidate[] {
  const found: Candidate[] = []
  const closed = isClosed(plan, limits)
  for (const [accountId, account] of plan.accounts) {
    if (account.work !== null) continue
    if (plan.stopping && account.failure !== null && account.failures > 0) continue
    const wanted = plan.stopping ? wantedAtStop(account) : wantedOf(account, limits)
    if (wanted === undefined) continue
    found.push({
      accountId,
      work: account.claim === 'held' ? wanted.work : 'claim',
      dueMs: plan.stopping ? wanted.dueMs : Math.max(wanted.dueMs, earliestTryMs(plan, account, closed)),
      // Probes take turns.
      order: closed ? account.triedMs : wanted.dueMs - wanted.headStartMs,
    })
  }
  return found
}

function earliestTryMs(plan: BackupPlan, { failure, notBeforeMs }: AccountBackup, closed: boolean): number {
  if (!closed) return notBeforeMs
  // The target's trouble is waited out together.
  return failure === null || failure.of === 'account' ? Math.max(notBeforeMs, plan.nextProbeMs) : plan.nextProbeMs
}

interface Wanted {
  work: Exclude<BackupWork, 'claim'>
  dueMs: number
  headStartMs: number
}

function wantedOf(account: AccountBackup, limits: BackupLimits): Wanted | undefined {
  const { removedMs, unsaved, fetchedMs, document, documentMs } = account
  if (removedMs !== null) return { work: 'delete', dueMs: removedMs, headStartMs: 0 }
  const wanted: Wanted[] = []
  const { sinceMs, credsSinceMs, pairedSinceMs } = unsaved
  if (pairedSinceMs !== null) wanted.push({ work: 'save', dueMs: pairedSinceMs, headStartMs: HEAD_START.pairedMs })
  if (credsSinceMs !== null) {
    const dueMs = Math.max(credsSinceMs + limits.credsDebounceMs, fetchedMs + limits.credsIntervalMs)
    wanted.push({ work: 'save', dueMs, headStartMs: HEAD_START.credsMs })
  }
  if (sinceMs !== null) {
    const dueMs = Math.max(sinceMs + limits.debounceMs, fetchedMs + limits.intervalMs)
    wanted.push({ work: 'save', dueMs, headStartMs: 0 })
  }
  if (document !== null) {
    const afterLastMs = document.urgent ? documentMs : documentMs + limits.statusIntervalMs
    const dueMs = Math.max(document.sinceMs + limits.documentDebounceMs, afterLastMs)
    wanted.push({ work: 'write_account', dueMs, headStartMs: 0 })
  }
  return wanted.reduce<Wanted | undefined>(
    (first, next) => (first !== undefined && first.dueMs <= next.dueMs ? first : next),
    undefined,
  )
}

/**
 * What is in hand; beside it what an operator has asked for, where no session waits. A status that changes by the stop
 * itself is no news, and a removal is on the disk.
 */
function wantedAtStop(account: AccountBackup): Wanted | undefined {
  const { removedMs, unsaved, inHand, document, claim } = account
  if (claim === 'refused' || removedMs !== null) return undefined
  if (inHand && unsaved.sinceMs !== null) return { work: 'save', dueMs: unsaved.sinceMs, headStartMs: 0 }
  if (document?.urgent === true && claim === 'held' && !isUnsaved(account)) {
    return { work: 'write_account', dueMs: document.sinceMs, headStartMs: 0 }
  }
  return undefined
}

/** Whether one more of this work may be under way. */
export function hasRoom(plan: BackupPlan, work: BackupWork, limits: BackupLimits): boolean {
  let backups = 0
  let documents = 0
  for (const account of plan.accounts.values()) {
    if (account.work === 'write_account') documents++
    else if (account.work !== null) backups++
  }
  if (isClosed(plan, limits)) return !plan.stopping && backups + documents === 0
  if (work === 'write_account') return documents < limits.documentsAtOnce
  return backups < (plan.stopping ? limits.atOnceStopping : limits.atOnce)
}
