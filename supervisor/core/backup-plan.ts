import { backoffMs } from '../../shared/backoff.ts'
import {
  isIdle,
  isUnsaved,
  NEW_ACCOUNT_BACKUP,
  NOTHING_UNSAVED,
  type AccountBackup,
  type BackupEffect,
  type BackupEvent,
  type BackupLimits,
  type BackupPlan,
  type Unsaved,
} from './backup-state.ts'
import { candidates, hasRoom, isClosed } from './backup-turns.ts'

/**
 * What is to be backed up, and when. There is one entry per account and no queue: an entry says since when it has
 * something that no backup has, and the bytes are fetched when its turn comes, so the newest state is what goes, however
 * long the target was away.
 *
 * | what                    | due                                                                                  |
 * |-------------------------|--------------------------------------------------------------------------------------|
 * | a session just paired   | at once                                                                              |
 * | creds changed           | `credsDebounceMs` later, `credsIntervalMs` after the last backup of the account      |
 * | anything else changed   | `debounceMs` after the first such change, `intervalMs` after the last backup         |
 * | the operator's word     | at once, whatever failed before; a session that has nothing unsaved stays as it is   |
 * | an account's document   | `documentDebounceMs` later; for a status alone `statusIntervalMs` after the last     |
 * | a removal               | at once, before anything else of that account                                        |
 * | the host's document     | every `hostIntervalMs`; nothing else before the first is written                     |
 *
 * Nothing is written, and nothing deleted, of an account whose claim is not held: the claim comes first. One that another
 * host has is asked for again every `claimRetryMs`. One thing at a time per account, `atOnce` in all; who has waited
 * longest goes first, a pairing and changed creds with a head start.
 *
 * A failure of the target puts its account off (`retry`); when `closeAfter` different accounts failed with no success
 * between them, one of all accounts tries at a time, and the first success lets everybody go on. So does the host's
 * document, which is written without anything to save.
 *
 * While the service stops an account is saved once its worker has ended and left its bytes; each is tried once, and
 * after `closeAfter` failures nobody any more.
 */

/** One event: the plan as it is afterwards, and what the shell shall begin. The same plan where nothing changed. */
export function stepBackups(
  plan: BackupPlan,
  event: BackupEvent,
  nowMs: number,
  limits: BackupLimits,
): [BackupPlan, BackupEffect[]] {
  const next = applied(plan, event, nowMs, limits)
  if (next === plan && event.type !== 'tick') return [plan, []]
  return begun(next, nowMs, limits)
}

/** When the shell shall send `tick`; undefined while only an answer can change anything. */
export function nextTickMs(plan: BackupPlan, limits: BackupLimits): number | undefined {
  const due: number[] = []
  if (!plan.host.writing && !plan.stopping) due.push(plan.host.dueMs)
  if (plan.host.written) {
    for (const { work, dueMs } of candidates(plan, limits)) if (hasRoom(plan, work, limits)) due.push(dueMs)
  }
  return due.length === 0 ? undefined : Math.min(...due)
}

/** While the service stops: nothing is under way, and nothing more can be begun. */
export function isSettled(plan: BackupPlan, limits: BackupLimits): boolean {
  if (plan.host.writing || [...plan.accounts.values()].some(({ work }) => work !== null)) return false
  return !plan.host.written || isClosed(plan, limits) || candidates(plan, limits).length === 0
}

function applied(plan: BackupPlan, event: BackupEvent, nowMs: number, limits: BackupLimits): BackupPlan {
  switch (event.type) {
    case 'tick':
      return plan
    case 'shutting_down':
      // Whatever was wrong before: each account gets one try.
      return everybodyAgain({ ...plan, stopping: true, host: { ...plan.host, failures: 0 } })
    case 'save_now':
      return savedNow(plan, event.accountIds, nowMs)
    case 'host_written': {
      const host = { writing: false, written: true, dueMs: nowMs + limits.hostIntervalMs, failures: 0 }
      return plan.host.failures > 0 ? everybodyAgain({ ...plan, host }) : { ...plan, host }
    }
    case 'host_failed': {
      const failures = plan.host.failures + 1
      const dueMs = nowMs + backoffMs(failures, event.random, limits.hostRetry)
      return { ...plan, host: { ...plan.host, writing: false, dueMs, failures } }
    }
    case 'session_changed': {
      const account = plan.accounts.get(event.accountId) ?? NEW_ACCOUNT_BACKUP
      const unsaved = changed(account.unsaved, event, nowMs)
      // A worker that says something can be asked for its session.
      const again = account.failure?.of === 'account'
      if (unsaved === account.unsaved && !again) return plan
      const retry = again ? { failure: null, notBeforeMs: nowMs } : {}
      return withAccount(plan, event.accountId, { ...account, unsaved, ...retry })
    }
    case 'session_left':
      return changeAccount(plan, event.accountId, (account) => ({
        inHand: true,
        unsaved: changed(account.unsaved, { creds: false, paired: false }, nowMs),
        ...(account.failure?.of === 'account' ? { failure: null, notBeforeMs: nowMs } : {}),
      }))
    case 'account_changed':
      return changeAccount(plan, event.accountId, ({ document }) => ({
        document: { sinceMs: document?.sinceMs ?? nowMs, urgent: event.urgent || document?.urgent === true },
      }))
    case 'removed':
      return changeAccount(plan, event.accountId, () => ({
        removedMs: nowMs,
        unsaved: NOTHING_UNSAVED,
        saving: null,
        document: null,
        inHand: false,
      }))
    case 'claimed':
      return succeeded(plan, event.accountId, () => ({ claim: 'held', refusal: null }))
    case 'refused': {
      const next = succeeded(plan, event.accountId, (account) => ({
        claim: 'refused',
        refusal: event.message,
        notBeforeMs: nowMs + limits.claimRetryMs,
        // What another host has is not this one's to delete.
        removedMs: null,
        inHand: event.inHand,
        ...unsavedAgain(account),
        ...documentAgain(account, nowMs),
      }))
      return forgetIfGone(next, event.accountId, plan.accounts.get(event.accountId)?.removedMs ?? null)
    }
    case 'fetched':
      return changeAccount(plan, event.accountId, ({ unsaved }) => ({
        saving: { ...unsaved, fetchedMs: nowMs },
        unsaved: NOTHING_UNSAVED,
      }))
    case 'saved':
      return succeeded(plan, event.accountId, ({ saving, fetchedMs }) => ({
        saving: null,
        fetchedMs: saving?.fetchedMs ?? fetchedMs,
        inHand: event.inHand,
      }))
    case 'nothing_to_save':
      return changeAccount(plan, event.accountId, () => ({ work: null, unsaved: NOTHING_UNSAVED, saving: null }))
    case 'superseded':
      return succeeded(plan, event.accountId, (account) => ({
        claim: 'none',
        inHand: event.inHand,
        ...unsavedAgain(account),
        ...documentAgain(account, nowMs),
      }))
    case 'account_written':
      return succeeded(plan, event.accountId, () => ({}))
    case 'deleted': {
      const { document, unsaved, inHand } = plan.accounts.get(event.accountId) ?? NEW_ACCOUNT_BACKUP
      const next = succeeded(plan, event.accountId, () => ({
        ...NEW_ACCOUNT_BACKUP,
        document,
        unsaved,
        inHand,
      }))
      return forgetIfGone(next, event.accountId, nowMs)
    }
    case 'failed':
      return failed(plan, event, nowMs, limits)
    default:
      return event satisfies never
  }
}

/** Goes like a pairing. An account that another host has is asked for again; while the target is away one tries, now. */
function savedNow(plan: BackupPlan, accountIds: readonly string[], nowMs: number): BackupPlan {
  const accounts = new Map(plan.accounts)
  let isAny = false
  for (const accountId of new Set(accountIds)) {
    const account = accounts.get(accountId)
    if (account === undefined || isIdle(account)) continue
    isAny = true
    const { unsaved } = account
    const soon = unsaved.sinceMs === null ? unsaved : { ...unsaved, pairedSinceMs: unsaved.pairedSinceMs ?? nowMs }
    accounts.set(accountId, { ...account, unsaved: soon, notBeforeMs: Number.NEGATIVE_INFINITY })
  }
  if (!isAny) return plan
  const dueMs = plan.host.written ? plan.host.dueMs : Math.min(plan.host.dueMs, nowMs)
  return { ...plan, accounts, host: { ...plan.host, dueMs }, nextProbeMs: Math.min(plan.nextProbeMs, nowMs) }
}

function changed(unsaved: Unsaved, change: { creds: boolean; paired: boolean }, nowMs: number): Unsaved {
  const { sinceMs, credsSinceMs, pairedSinceMs } = unsaved
  const next = {
    sinceMs: sinceMs ?? nowMs,
    credsSinceMs: credsSinceMs ?? (change.creds ? nowMs : null),
    pairedSinceMs: pairedSinceMs ?? (change.paired ? nowMs : null),
  }
  const same = next.sinceMs === sinceMs && next.credsSinceMs === credsSinceMs && next.pairedSinceMs === pairedSinceMs
  return same ? unsaved : next
}

function earliest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}

/** What the backup under way was to take is unsaved as before. */
function unsavedAgain({ saving, unsaved }: AccountBackup): Pick<AccountBackup, 'saving' | 'unsaved'> {
  if (saving === null) return { saving, unsaved }
  return {
    saving: null,
    unsaved: {
      sinceMs: earliest(saving.sinceMs, unsaved.sinceMs),
      credsSinceMs: earliest(saving.credsSinceMs, unsaved.credsSinceMs),
      pairedSinceMs: earliest(saving.pairedSinceMs, unsaved.pairedSinceMs),
    },
  }
}

/** The document that was taken up is to be written again. */
function documentAgain({ work, removedMs, document }: AccountBackup, nowMs: number): Partial<AccountBackup> {
  if (work !== 'write_account' || removedMs !== null) return {}
  return { document: { sinceMs: document?.sinceMs ?? nowMs, urgent: true } }
}

function withAccount(plan: BackupPlan, accountId: string, account: AccountBackup): BackupPlan {
  return { ...plan, accounts: new Map(plan.accounts).set(accountId, account) }
}

function changeAccount(
  plan: BackupPlan,
  accountId: string,
  change: (account: AccountBackup) => Partial<AccountBackup>,
): BackupPlan {
  const account = plan.accounts.get(accountId) ?? NEW_ACCOUNT_BACKUP
  return withAccount(plan, accountId, { ...account, ...change(account) })
}

/** The target has answered: it is there, for everybody. */
function succeeded(
  plan: BackupPlan,
  accountId: string,
  change: (account: AccountBackup) => Partial<AccountBackup>,
): BackupPlan {
  const wasTrouble = plan.failing.size > 0
  const opened: BackupPlan = wasTrouble ? { ...plan, failing: new Set(), probes: 0 } : plan
  // One success among many failing accounts brings all back; one sick account among healthy ones stays put off.
  const next = plan.probes > 0 ? everybodyAgain(opened) : opened
  return changeAccount(next, accountId, (account) => ({
    work: null,
    failures: 0,
    failure: null,
    notBeforeMs: Number.NEGATIVE_INFINITY,
    ...change(account),
  }))
}

function everybodyAgain(plan: BackupPlan): BackupPlan {
  const accounts = new Map(plan.accounts)
  for (const [accountId, account] of accounts) {
    if (account.failure === null) continue
    accounts.set(accountId, { ...account, notBeforeMs: Number.NEGATIVE_INFINITY, failures: 0 })
  }
  return { ...plan, accounts, failing: new Set(), probes: 0 }
}

/** A removed account is known until its removal is done, and no longer, unless it was added again meanwhile. */
function forgetIfGone(plan: BackupPlan, accountId: string, removedMs: number | null): BackupPlan {
  const account = plan.accounts.get(accountId)
  if (removedMs === null || account === undefined || !isIdle(account)) return plan
  const accounts = new Map(plan.accounts)
  accounts.delete(accountId)
  return { ...plan, accounts }
}

function failed(
  plan: BackupPlan,
  event: { accountId: string; failure: AccountBackup['failure'] & object; random: number; inHand: boolean },
  nowMs: number,
  limits: BackupLimits,
): BackupPlan {
  const { accountId, failure, random } = event
  const policy = failure.of === 'quota' ? limits.quotaRetry : limits.retry
  const next = changeAccount(plan, accountId, (account) => ({
    work: null,
    failures: account.failures + 1,
    failure,
    inHand: event.inHand,
    notBeforeMs: nowMs + backoffMs(account.failures + 1, random, policy),
    ...documentAgain(account, nowMs),
    ...unsavedAgain(account),
  }))
  if (failure.of === 'account') return next
  const failing = new Set(plan.failing).add(accountId)
  if (failing.size < limits.closeAfter) return { ...next, failing }
  const probes = plan.probes + 1
  return { ...next, failing, probes, nextProbeMs: nowMs + backoffMs(probes, random, policy) }
}

/** Begins what is due, as far as there is room. */
function begun(plan: BackupPlan, nowMs: number, limits: BackupLimits): [BackupPlan, BackupEffect[]] {
  const effects: BackupEffect[] = []
  let next = plan
  if (!plan.host.writing && !plan.stopping && plan.host.dueMs <= nowMs) {
    next = { ...next, host: { ...next.host, writing: true } }
    effects.push({ type: 'write_host' })
  }
  // Before it, no other host could know that what this one claims is in use.
  if (!next.host.written) return [next, effects]
  const due = candidates(next, limits).filter(({ dueMs }) => dueMs <= nowMs)
  due.sort((a, b) => a.order - b.order)
  for (const { accountId, work } of due) {
    if (!hasRoom(next, work, limits)) continue
    next = changeAccount(next, accountId, () => ({
      work,
      triedMs: nowMs,
      // What changes from here on is for the next document.
      ...(work === 'write_account' ? { document: null, documentMs: nowMs } : {}),
    }))
    effects.push({ type: work, accountId })
  }
  return [next, effects]
}

/** The accounts that have something no backup has: whom a stop names. */
export function unsavedAccounts(plan: BackupPlan): string[] {
  return [...plan.accounts].flatMap(([accountId, account]) => (isUnsaved(account) ? [accountId] : []))
}
