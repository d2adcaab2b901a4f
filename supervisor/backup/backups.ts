import type { Clock, Timer } from '../../shared/clock.ts'
import { LATE, withDeadline } from '../../shared/deadline.ts'
import { messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Registry } from '../accounts/registry.ts'
import { isSettled, nextTickMs, stepBackups, unsavedAccounts } from '../core/backup-plan.ts'
import {
  newBackupPlan,
  unsavedSince,
  type BackupEffect,
  type BackupEvent,
  type BackupFailure,
  type BackupLimits,
  type BackupPlan,
  type BackupWork,
} from '../core/backup-state.ts'
import { isClosed } from '../core/backup-turns.ts'
import type { SessionWatch } from '../fleet/session-watch.ts'
import type { SessionSnapshot, SnapshotAnswer } from '../fleet/snapshots.ts'
import type { AccountBackupView, BackupsView } from './backup-view.ts'
import { documentOf, keyOf, type DocumentKey } from './account-document.ts'
import { Claims, type HeldClaim } from './claims.ts'
import { LeftSessions } from './left-sessions.ts'
import type { Removals } from './removals.ts'
import { sealInTime, type SealArchive } from './seal-archive.ts'
import { BackupError, type ArchiveInfo, type BackupTarget, type HostDocument } from './target.ts'
import { isSameNews } from './words.ts'

export interface BackupsOptions {
  target: BackupTarget
  seal: SealArchive
  registry: Registry
  clock: Clock
  log: Log
  random: () => number
  host: Pick<HostDocument, 'hostId' | 'name' | 'version'>
  removals: Removals
  limits: BackupLimits
  /** After so long without a sign of its host an account may be another's. */
  leaseMs: number
}

/** Of the stop: for saying that this host has let go, and for the connections. */
const RELEASE_DEADLINE_MS = 1000
const CLOSE_DEADLINE_MS = 500

/**
 * The shell of core/backup-plan.ts: what the registry and the workers say goes in as events, and what the plan wants is
 * carried out at the target. Nothing waits for it but the end of the service, and that not for long; no failure of the
 * target is anybody else's.
 */
export class Backups implements SessionWatch, BackupsView {
  readonly #options: BackupsOptions
  #plan: BackupPlan
  #snapshot: (accountId: string) => Promise<SnapshotAnswer> = () => Promise.resolve(null)
  readonly #claims: Claims
  /** The newest that is kept. */
  readonly #kept = new Map<string, ArchiveInfo>()
  readonly #left = new LeftSessions()
  readonly #documents = new Map<string, DocumentKey>()
  #timer: Timer | undefined
  #unsubscribe: (() => void) | undefined
  #onSettled: (() => void) | undefined
  #over = false
  #gaveUp = false

  constructor(options: BackupsOptions) {
    this.#options = options
    this.#plan = newBackupPlan(options.clock.monotonicMs())
    this.#claims = new Claims({ ...options, host: () => this.host })
  }

  /** @param snapshot asks an account's worker for its session */
  start(snapshot: (accountId: string) => Promise<SnapshotAnswer>): void {
    const { registry, removals } = this.#options
    this.#snapshot = snapshot
    for (const accountId of removals.all) this.#dispatch({ type: 'removed', accountId })
    this.#unsubscribe = registry.subscribe((accountId) => this.#look(accountId))
    for (const { record } of registry.all()) this.#look(record.accountId)
    this.#dispatch({ type: 'tick' })
  }

  changed(accountId: string, change: { creds: boolean; paired: boolean }): void {
    const { creds, paired } = change
    this.#dispatch({ type: 'session_changed', accountId, creds, paired })
  }

  lastWanted(accountId: string): { savedRevision: number | null } | null {
    const account = this.#plan.accounts.get(accountId)
    if (this.#over || this.#options.registry.get(accountId)?.record.desired === 'removed') return null
    if (account === undefined || account.claim === 'refused') return null
    const saved = unsavedSince(account) === null ? this.#kept.get(accountId) : undefined
    return { savedRevision: saved?.sessionRevision ?? null }
  }

  left(accountId: string, snapshot: SessionSnapshot): void {
    if (this.#over || !this.#left.keep(accountId, snapshot)) return
    this.#dispatch({ type: 'session_left', accountId })
  }

  /**
   * The account is about to be forgotten: what is kept of it goes, later if need be. Resolves when that is on the disk;
   * rejects with AppError storage_unavailable.
   */
  async noteRemoval(accountId: string): Promise<void> {
    const { removals, clock } = this.#options
    await removals.add(accountId, clock.nowMs())
    this.#left.delete(accountId)
    this.#dispatch({ type: 'removed', accountId })
  }

  get health(): BackupsView['health'] {
    const sinceMs = [...this.#plan.accounts.values()].flatMap((account) => unsavedSince(account) ?? [])
    const nowMs = this.#options.clock.monotonicMs()
    return {
      state: this.#plan.failing.size > 0 || this.#plan.host.failures > 0 ? 'degraded' : 'ok',
      oldestUnsavedMs: sinceMs.length === 0 ? null : Math.round(nowMs - Math.min(...sinceMs)),
    }
  }

  viewOf(accountId: string): AccountBackupView | null {
    const account = this.#plan.accounts.get(accountId)
    const kept = this.#kept.get(accountId)
    if (account === undefined && kept === undefined) return null
    return {
      revision: kept?.rev ?? null,
      savedAtMs: kept?.savedAtMs ?? null,
      bytes: kept?.sealedBytes ?? null,
      pending: account !== undefined && unsavedSince(account) !== null,
      error: account?.refusal ?? account?.failure?.message ?? null,
    }
  }

  saveNow(accountIds: readonly string[]): string[] {
    this.#dispatch({ type: 'save_now', accountIds })
    return accountIds.filter((accountId) => this.viewOf(accountId)?.pending === true)
  }

  /** Who this is, to the target. */
  get host(): HostDocument {
    const { host, clock } = this.#options
    return { ...host, lastSeenMs: clock.nowMs(), released: false }
  }

  /** For a restore of the account, which is this host's from here on. Rejects with a BackupError. */
  claimForRestore(accountId: string): Promise<void> {
    return this.#claims.claimForRestore(accountId)
  }

  /** Removed here, and still kept there. */
  isRemoved(accountId: string): boolean {
    return this.#options.removals.has(accountId)
  }

  /** What waits: accounts that are known of, and the bytes that ended workers left. */
  get load(): { accounts: number; heldBytes: number } {
    return { accounts: this.#plan.accounts.size, heldBytes: this.#left.bytes }
  }

  /** The service stops: from here on each session is saved as its worker leaves it. Before the workers are asked to end. */
  beginStop(): void {
    this.#unsubscribe?.()
    this.#dispatch({ type: 'shutting_down' })
  }

  /**
   * Saves what the workers left, as far as there is time, lets go of the accounts, and closes. After the workers have
   * ended. Never rejects.
   * @param endMs monotonic
   * @returns the accounts that have something no backup has
   */
  async finish(endMs: number): Promise<string[]> {
    const { clock, log, target, host } = this.#options
    if (this.#over) return []
    if (!this.#plan.stopping) this.beginStop()
    const settled = new Promise<void>((resolve) => (this.#onSettled = resolve))
    this.#tellIfSettled()
    if (this.#gaveUp) this.#onSettled?.()
    const inTime = (await withDeadline(settled, endMs - clock.monotonicMs(), clock)) !== LATE
    this.#over = true
    this.#timer?.cancel()
    const notSaved = unsavedAccounts(this.#plan).filter((id) => this.#plan.accounts.get(id)?.claim !== 'refused')
    if (notSaved.length > 0) {
      log.warn(
        { event: 'backup.not_saved', accounts: notSaved },
        'Stopped: the last changes of these are on the disk alone',
      )
    }
    if (inTime && this.#plan.host.written && this.#plan.host.failures === 0 && this.#plan.failing.size === 0) {
      const released = target.writeHost({ ...host, lastSeenMs: clock.nowMs(), released: true })
      await withDeadline(released, RELEASE_DEADLINE_MS, clock).catch(() => undefined)
    }
    await withDeadline(target.close(), CLOSE_DEADLINE_MS, clock).catch(() => undefined)
    return notSaved
  }

  /** No more patience: `finish`, now or when it comes to it, ends with what is saved by then. */
  giveUp(): void {
    this.#gaveUp = true
    this.#onSettled?.()
  }

  #look(accountId: string): void {
    const { registry, removals } = this.#options
    const account = registry.get(accountId)
    if (account === undefined) {
      this.#documents.delete(accountId)
      return
    }
    // Its document is about to go.
    if (account.record.desired === 'removed' && removals.has(accountId)) return
    const known = this.#documents.get(accountId)
    const key = keyOf(account, registry)
    if (known?.wish === key.wish && known.status === key.status) return
    this.#documents.set(accountId, key)
    this.#dispatch({ type: 'account_changed', accountId, urgent: known?.wish !== key.wish })
  }

  #dispatch(event: BackupEvent): void {
    if (this.#over) return
    const { clock, limits, log } = this.#options
    const before = this.#plan
    const [plan, effects] = stepBackups(before, event, clock.monotonicMs(), limits)
    this.#plan = plan
    if (isClosed(plan, limits) && !isClosed(before, limits)) {
      log.error(
        { event: 'backup.target_lost', accounts: plan.failing.size },
        'Backups fail: one account tries at a time',
      )
    } else if (!isClosed(plan, limits) && isClosed(before, limits)) {
      log.info({ event: 'backup.target_found' }, 'Backups work again: the others follow')
    }
    if (plan !== before) this.#armTimer()
    for (const effect of effects) void this.#carryOut(effect)
    this.#tellIfSettled()
  }

  #armTimer(): void {
    const { clock, limits } = this.#options
    this.#timer?.cancel()
    const dueMs = nextTickMs(this.#plan, limits)
    if (dueMs === undefined) return
    this.#timer = clock.setTimer(dueMs - clock.monotonicMs(), () => {
      const before = this.#plan
      this.#dispatch({ type: 'tick' })
      // A timer may fire a fraction of a millisecond early: nothing was due then, and it is set again.
      if (before === this.#plan) this.#armTimer()
    })
  }

  #tellIfSettled(): void {
    if (this.#onSettled !== undefined && isSettled(this.#plan, this.#options.limits)) this.#onSettled()
  }

  async #carryOut(effect: BackupEffect): Promise<void> {
    if (effect.type === 'write_host') return this.#writeHost()
    const { accountId, type } = effect
    const before = this.#claims.of(accountId)
    try {
      await this.#workOf(type)(accountId)
    } catch (error) {
      const isOutdated = before !== undefined && this.#claims.of(accountId) !== before
      if (!isOutdated || !isOwnedElsewhere(error)) return this.#fail(accountId, type, error)
      // A restore has claimed it meanwhile: it is this host's as before.
      this.#dispatch({ type: 'superseded', accountId, inHand: this.#left.has(accountId) })
    }
  }

  #workOf(work: BackupWork): (accountId: string) => Promise<void> {
    switch (work) {
      case 'claim':
        return (accountId) => this.#claim(accountId)
      case 'save':
        return (accountId) => this.#save(accountId)
      case 'delete':
        return (accountId) => this.#delete(accountId)
      case 'write_account':
        return (accountId) => this.#writeAccount(accountId)
      default:
        return work satisfies never
    }
  }

  #fail(accountId: string, work: string, error: unknown): void {
    const { log, random } = this.#options
    const inHand = this.#left.has(accountId)
    const message = messageOf(error)
    if (isOwnedElsewhere(error)) {
      this.#claims.drop(accountId)
      if (!isSameNews(this.#plan.accounts.get(accountId)?.refusal, message)) {
        log.error({ event: 'backup.owned_elsewhere', accountId, cause: message }, 'Another host has this account')
      }
      if (this.#options.removals.has(accountId)) void this.#removalDone(accountId)
      return this.#dispatch({ type: 'refused', accountId, message, inHand })
    }
    const code = error instanceof BackupError ? error.code : 'account'
    log.warn({ event: 'backup.failed', accountId, work, code, cause: message }, 'Backup')
    const of: BackupFailure['of'] = code === 'account' ? 'account' : code === 'over_quota' ? 'quota' : 'target'
    this.#dispatch({ type: 'failed', accountId, failure: { of, message }, random: random(), inHand })
  }

  async #writeHost(): Promise<void> {
    const { target, clock, host, log, random } = this.#options
    try {
      await target.writeHost({ ...host, lastSeenMs: clock.nowMs(), released: false })
      this.#dispatch({ type: 'host_written' })
    } catch (error) {
      log.warn({ event: 'backup.host_failed', cause: messageOf(error) }, 'Backup')
      this.#dispatch({ type: 'host_failed', random: random() })
    }
  }

  async #claim(accountId: string): Promise<void> {
    const { target, log } = this.#options
    const { claim } = await this.#claims.claim(accountId)
    log.info({ event: 'backup.claimed', accountId, epoch: claim.epoch, lastRev: claim.lastRev }, 'Backup')
    // Only for people to see: what is saved next does not depend on it.
    const [newest] = claim.lastRev === 0 ? [] : await target.listArchives(accountId).catch(() => [])
    if (newest !== undefined) this.#kept.set(accountId, newest)
    this.#dispatch({ type: 'claimed', accountId })
  }

  async #save(accountId: string): Promise<void> {
    const { target, seal, clock, log } = this.#options
    const owned = this.#claimOf(accountId)
    const answer = await this.#snapshot(accountId)
    const held = this.#left.get(accountId)
    if (answer === 'not_linked' && held === undefined) {
      return this.#dispatch({ type: 'nothing_to_save', accountId })
    }
    const taken = answer === 'not_linked' || answer === null ? held : answer
    if (taken === undefined)
      throw new Error('Its session could not be had: its worker does not run, or does not answer.')
    // At once: whatever its worker says from here on is not in these bytes.
    this.#dispatch({ type: 'fetched', accountId })
    const rev = owned.nextRev
    // Where this one fails it may still land later: the next one is newer, and goes to the same of the two places.
    owned.nextRev = rev + 2
    const savedAtMs = clock.nowMs()
    const plain = { accountId, rev, sessionRevision: taken.revision, savedAtMs, bytes: taken.bytes }
    const archive = await sealInTime(seal, plain, clock)
    const result = await target.writeArchive(accountId, owned.claim, archive)
    if (result === 'written') {
      owned.nextRev = rev + 1
      const { sealed, ...info } = archive
      this.#kept.set(accountId, info)
      log.debug(
        { event: 'backup.saved', accountId, rev, plainBytes: info.plainBytes, sealedBytes: sealed.length },
        'Backup',
      )
      // The bytes of an ended worker are older than those of a living one that answered after it.
      if (this.#left.get(accountId) === held) this.#left.delete(accountId)
    }
    const inHand = this.#left.has(accountId)
    this.#dispatch({ type: result === 'written' ? 'saved' : 'superseded', accountId, inHand })
  }

  async #delete(accountId: string): Promise<void> {
    const { target, log } = this.#options
    await target.deleteAccount(accountId, this.#claimOf(accountId).claim)
    this.#claims.drop(accountId)
    this.#kept.delete(accountId)
    log.info({ event: 'backup.deleted', accountId }, 'Backup')
    await this.#removalDone(accountId)
    this.#dispatch({ type: 'deleted', accountId })
  }

  async #removalDone(accountId: string): Promise<void> {
    const { removals, log } = this.#options
    await removals.done(accountId).catch((error: unknown) => {
      log.warn({ event: 'backup.removals_failed', accountId, cause: messageOf(error) }, 'Backup')
    })
  }

  async #writeAccount(accountId: string): Promise<void> {
    const { target, registry, removals, clock } = this.#options
    const account = registry.get(accountId)
    const isGone = account === undefined || removals.has(accountId)
    const { claim } = this.#claimOf(accountId)
    if (!isGone) await target.writeAccount(documentOf(account, registry, clock.nowMs()), claim)
    this.#dispatch({ type: 'account_written', accountId })
  }

  #claimOf(accountId: string): HeldClaim {
    const held = this.#claims.of(accountId)
    if (held === undefined) throw new Error('It has no claim')
    return held
  }
}

function isOwnedElsewhere(error: unknown): boolean {
  return error instanceof BackupError && error.code === 'owned_elsewhere'
}
