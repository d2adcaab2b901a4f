import type { BackoffPolicy } from '../../shared/backoff.ts'

/** What backup-plan.ts works with. Times are monotonic milliseconds; epoch times are the shell's. */
export interface BackupLimits {
  /** BACKUP_DEBOUNCE_MS: from the first change that no backup has. */
  debounceMs: number
  /** BACKUP_INTERVAL_MS: between two backups of one account. */
  intervalMs: number
  /** The same two where creds changed: who they are and how far they are is what a restored session can least do without. */
  credsDebounceMs: number
  credsIntervalMs: number
  /** From a change of an account (name, wish, status) to the write of its document, which takes what came in between. */
  documentDebounceMs: number
  /** Between two writes for a status alone: one that goes up and down all day shall not cost a write each time. */
  statusIntervalMs: number
  /** Between two tries to get an account that another host has. */
  claimRetryMs: number
  hostIntervalMs: number
  /** Claims, backups and deletions under way, and documents under way besides. */
  atOnce: number
  documentsAtOnce: number
  /** While the service stops nobody else needs the machine, and seconds count. */
  atOnceStopping: number
  /** So many different accounts that failed with no success between them: one probes at a time. */
  closeAfter: number
  retry: BackoffPolicy
  /** A quota comes back by the minute or the day. */
  quotaRetry: BackoffPolicy
  /** The host's own document is the probe that goes on without anything to save. */
  hostRetry: BackoffPolicy
}

export const BACKUP_LIMITS: Omit<BackupLimits, 'debounceMs' | 'intervalMs'> = {
  // Within a second, however many follow each other: after a login some do, and then none for hours.
  credsDebounceMs: 500,
  credsIntervalMs: 1000,
  documentDebounceMs: 2000,
  statusIntervalMs: 30_000,
  claimRetryMs: 60_000,
  hostIntervalMs: 60_000,
  atOnce: 2,
  documentsAtOnce: 2,
  atOnceStopping: 8,
  closeAfter: 3,
  retry: { firstMs: 5000, capMs: 5 * 60_000, jitter: 0.2 },
  quotaRetry: { firstMs: 60_000, capMs: 15 * 60_000, jitter: 0.2 },
  hostRetry: { firstMs: 5000, capMs: 60_000, jitter: 0.2 },
}

/** What can be under way for an account. */
export type BackupWork = 'claim' | 'save' | 'delete' | 'write_account'

/** Why something did not work; `refused` accounts, which another host has, are no failure. */
export interface BackupFailure {
  /** The target's own trouble, or of this account alone (its worker gives nothing, its bytes can't be sealed). */
  of: 'target' | 'quota' | 'account'
  message: string
}

/** Since when there is what no backup has; null where there is nothing of the kind. */
export interface Unsaved {
  sinceMs: number | null
  credsSinceMs: number | null
  pairedSinceMs: number | null
}

export interface AccountBackup {
  /** One thing at a time: what is written later is then newer. */
  work: BackupWork | null
  claim: 'none' | 'held' | 'refused'
  unsaved: Unsaved
  /** What the backup under way takes with it: unsaved again if it fails. */
  saving: (Unsaved & { fetchedMs: number }) | null
  /** Its worker has ended and left the bytes. */
  inHand: boolean
  /** When the bytes of the last backup that was kept were fetched. */
  fetchedMs: number
  document: { sinceMs: number; urgent: boolean } | null
  documentMs: number
  /** The account was removed: what is kept of it is to go first, whatever else is wanted of it by then. */
  removedMs: number | null
  /** When something was last begun for it. */
  triedMs: number
  failures: number
  failure: BackupFailure | null
  /** In words: whose the account is. */
  refusal: string | null
  notBeforeMs: number
}

export interface BackupPlan {
  accounts: ReadonlyMap<string, AccountBackup>
  host: { writing: boolean; written: boolean; dueMs: number; failures: number }
  /** Accounts that the target failed since it last did anything. */
  failing: ReadonlySet<string>
  /** While `failing` is as large as `closeAfter`: how often one was tried since, and when the next one is. */
  probes: number
  nextProbeMs: number
  stopping: boolean
}

export const NOTHING_UNSAVED: Unsaved = { sinceMs: null, credsSinceMs: null, pairedSinceMs: null }

export const NEW_ACCOUNT_BACKUP: AccountBackup = {
  work: null,
  claim: 'none',
  unsaved: NOTHING_UNSAVED,
  saving: null,
  inHand: false,
  fetchedMs: Number.NEGATIVE_INFINITY,
  document: null,
  documentMs: Number.NEGATIVE_INFINITY,
  removedMs: null,
  triedMs: Number.NEGATIVE_INFINITY,
  failures: 0,
  failure: null,
  refusal: null,
  notBeforeMs: Number.NEGATIVE_INFINITY,
}

export function newBackupPlan(nowMs: number): BackupPlan {
  return {
    accounts: new Map(),
    host: { writing: false, written: false, dueMs: nowMs, failures: 0 },
    failing: new Set(),
    probes: 0,
    nextProbeMs: nowMs,
    stopping: false,
  }
}

export type BackupEvent =
  /** The account's worker has made something durable; `paired`: this is the first that is known of a linked session. */
  | { type: 'session_changed'; accountId: string; creds: boolean; paired: boolean }
  /** Its worker has ended, and what it had at last is in hand. */
  | { type: 'session_left'; accountId: string }
  /** `urgent`: more than the status. */
  | { type: 'account_changed'; accountId: string; urgent: boolean }
  | { type: 'removed'; accountId: string }
  | { type: 'claimed'; accountId: string }
  /** Another host has it; also said of an account that was ours. */
  | { type: 'refused'; accountId: string; message: string; inHand: boolean }
  /** The backup under way has its bytes: what changes from here on is for the next one. */
  | { type: 'fetched'; accountId: string }
  /** `inHand`: the bytes of an ended worker that this backup did not take are still there. */
  | { type: 'saved'; accountId: string; inHand: boolean }
  /** There is nothing to back up after all: no phone is linked any more. */
  | { type: 'nothing_to_save'; accountId: string }
  /** The claim is out of date (a revision as new was there): it is asked for again. */
  | { type: 'superseded'; accountId: string; inHand: boolean }
  | { type: 'account_written'; accountId: string }
  | { type: 'deleted'; accountId: string }
  | { type: 'failed'; accountId: string; failure: BackupFailure; random: number; inHand: boolean }
  | { type: 'host_written' }
  | { type: 'host_failed'; random: number }
  /** The operator's word: what these have that no backup has goes at once, whatever the intervals and the last failure. */
  | { type: 'save_now'; accountIds: readonly string[] }
  | { type: 'shutting_down' }
  | { type: 'tick' }

export type BackupEffect = { type: BackupWork; accountId: string } | { type: 'write_host' }

/** Whether there is something of the account that no backup has. */
export function isUnsaved({ unsaved, saving }: AccountBackup): boolean {
  return unsaved.sinceMs !== null || (saving !== null && saving.sinceMs !== null)
}

/** Since when; monotonic ms. */
export function unsavedSince({ unsaved, saving }: AccountBackup): number | null {
  return saving?.sinceMs ?? unsaved.sinceMs
}

/** What of an account with nothing to do is worth keeping: where there is nothing, it need not be known at all. */
export function isIdle(account: AccountBackup): boolean {
  const { work, document, removedMs } = account
  return work === null && document === null && removedMs === null && !isUnsaved(account)
}
