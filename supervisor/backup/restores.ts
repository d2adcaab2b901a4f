import pLimit from 'p-limit'
import type { Clock, Timer } from '../../shared/clock.ts'
import { LATE, withDeadline } from '../../shared/deadline.ts'
import { messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Reason } from '../../shared/states.ts'
import { hasSession } from '../accounts/discover.ts'
import type { AccountRecord } from '../accounts/store.ts'
import { restoreSession, type RestoreOptions } from './restore.ts'
import { BackupError, type AccountDocument } from './target.ts'
import { isSameNews } from './words.ts'

/** What a restore has to do with the fleet. */
export interface RestoreFleet {
  /** The account is known from its backup alone. */
  adopt(record: AccountRecord): void
  /** Its session is on its way: nothing starts it but `restored`, or the operator's wish to pair anew. */
  awaitRestore(accountId: string, reason: Reason, message: string | null): void
  /** Whatever there is lies in its directory now: it may start. */
  restored(accountId: string): void
  /** False where the operator has decided otherwise meanwhile. */
  isAwaiting(accountId: string): boolean
}

export interface RestoresOptions extends RestoreOptions {
  fleet: RestoreFleet
  clock: Clock
  log: Log
  /** Accounts that were removed here, and whose documents are still to go. */
  isRemoved: (accountId: string) => boolean
  /** What is kept of the account goes, now or later. Rejects with an AppError. */
  finishRemoval: (accountId: string) => Promise<void>
  /** Between two rounds while something is left to do. */
  retryMs: number
}

/** The boot waits so long for the list of accounts; then it goes on from the disk, and what is missing comes later. */
const LIST_WAIT_MS = 5000
/** A restore is a read of some 300 KB; more at once only make each of them late. */
const AT_ONCE = 3
/** These are troubles of the target, not of one account: the round ends, and the next one tries again. */
const TARGETS_OWN: ReadonlySet<string> = new Set(['unreachable', 'over_quota', 'refused'])
/** What can't be used will not be better in a minute; a person may mend it, and each look costs some reads. */
const ROUNDS_BETWEEN_HOPELESS = 60

/**
 * Brings back what this machine does not have: accounts that only the backup knows, and sessions of accounts whose
 * directory holds none. In rounds, until nothing is left; an account waits for no other.
 */
export class Restores {
  readonly #options: RestoresOptions
  /** Those that wait longest first; of each the round in which it is tried next. */
  readonly #pending = new Map<string, number>()
  /** Of each that waits, why: said once, not once a minute for as long as another host is alive. */
  readonly #said = new Map<string, string>()
  #rounds = 0
  readonly #known: Set<string>
  #hasList = false
  #timer: Timer | undefined
  #stopped = false
  #round: Promise<void> = Promise.resolve()

  /** @param known accounts that the disk knows */
  constructor(options: RestoresOptions, known: readonly string[]) {
    this.#options = options
    this.#known = new Set(known)
  }

  /** Accounts that only the backup knows, if it answers within some seconds; later ones are adopted when it does. */
  async list(): Promise<AccountRecord[]> {
    const { clock, log } = this.#options
    const listing = this.#readList()
    const records = await withDeadline(listing, LIST_WAIT_MS, clock).catch((error: unknown) => {
      log.warn({ event: 'restore.list_failed', cause: messageOf(error) }, 'The boot goes on from the disk')
      return []
    })
    if (records !== LATE) return records
    log.warn({ event: 'restore.list_late' }, 'The boot goes on from the disk')
    void listing.then(
      (late) => this.#adopt(late),
      () => undefined,
    )
    return []
  }

  /** @returns those of the accounts whose directory holds no session: they wait for their backup */
  async missing(accountIds: readonly string[]): Promise<string[]> {
    const { isRemoved } = this.#options
    const isThere = await Promise.all(accountIds.map((accountId) => this.#hasSession(accountId)))
    // One that was removed, and added again, begins anew.
    return accountIds.filter((accountId, index) => isThere[index] !== true && !isRemoved(accountId))
  }

  /** A directory that can't be read is there: its own worker says what is wrong with it. */
  #hasSession(accountId: string): Promise<boolean> {
    return hasSession(this.#options.sessionsPath, accountId).catch(() => true)
  }

  /** Restores these, now and until it is done. */
  begin(accountIds: readonly string[]): void {
    this.hold(accountIds)
    this.again()
  }

  /** Nothing starts these from here on; `again` begins with them. Before anybody can ask for one of them. */
  hold(accountIds: readonly string[]): void {
    const { fleet } = this.#options
    for (const accountId of accountIds) {
      this.#pending.set(accountId, 0)
      fleet.awaitRestore(accountId, 'restoring', null)
    }
  }

  /** A new round at once. */
  again(): void {
    this.#timer?.cancel()
    if (this.#stopped) return
    this.#round = this.#round.then(() => this.#run())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #run(): Promise<void> {
    const { clock, retryMs } = this.#options
    if (this.#stopped) return
    if (!this.#hasList)
      await this.#readList()
        .then((late) => this.#adopt(late))
        .catch(() => undefined)
    const round = ++this.#rounds
    let isAway = false
    const limit = pLimit(AT_ONCE)
    await Promise.all(
      [...this.#pending].map(([accountId, nextRound]) =>
        limit(async () => {
          if (isAway || this.#stopped || nextRound > round) return
          if (await this.#restore(accountId)) isAway = true
        }),
      ),
    )
    if (this.#stopped || (this.#hasList && this.#pending.size === 0)) return
    this.#timer?.cancel()
    this.#timer = clock.setTimer(retryMs, () => this.again(), { unref: true })
  }

  /** @returns whether the target is away, so that there is no use in asking for others now */
  async #restore(accountId: string): Promise<boolean> {
    const { fleet, log } = this.#options
    if (!fleet.isAwaiting(accountId)) {
      this.#pending.delete(accountId)
      return false
    }
    try {
      const stillWanted = (): boolean => fleet.isAwaiting(accountId)
      const { outcome } = await restoreSession(accountId, this.#options, { stillWanted })
      log.info({ event: 'restore.ended', accountId, outcome }, 'Restore')
      this.#pending.delete(accountId)
      this.#said.delete(accountId)
      fleet.restored(accountId)
      return false
    } catch (error) {
      const code = error instanceof BackupError ? error.code : 'failed'
      const message = messageOf(error)
      if (!isSameNews(this.#said.get(accountId), message)) {
        log.warn({ event: 'restore.failed', accountId, code, cause: message }, 'Restore')
      }
      this.#said.set(accountId, message)
      const forGood = code === 'damaged' || code === 'wrong_key'
      // To the end: a round that ends early with this one begins with another the next time.
      this.#pending.delete(accountId)
      this.#pending.set(accountId, this.#rounds + (forGood ? ROUNDS_BETWEEN_HOPELESS : 1))
      fleet.awaitRestore(accountId, forGood ? 'restore_failed' : 'restore_waiting', message)
      return error instanceof BackupError && TARGETS_OWN.has(code)
    }
  }

  async #readList(): Promise<AccountRecord[]> {
    const { target, isRemoved } = this.#options
    const documents = await target.readAccounts()
    this.#hasList = true
    const fresh = documents.filter(({ accountId }) => !this.#known.has(accountId) && !isRemoved(accountId))
    for (const { accountId } of fresh) this.#known.add(accountId)
    for (const { accountId, desired } of fresh) if (desired === 'removed') await this.#finishRemoval(accountId)
    return fresh.filter(({ desired }) => desired !== 'removed').map(recordOf)
  }

  /** Its machine was lost in the middle of the removal. Where there is a session of it here, a person decides. */
  async #finishRemoval(accountId: string): Promise<void> {
    const { log, finishRemoval } = this.#options
    if (await this.#hasSession(accountId)) return
    log.warn({ event: 'restore.removal_finished', accountId }, 'Was being removed: its backups go')
    await finishRemoval(accountId).catch((error: unknown) => {
      log.warn({ event: 'backup.removals_failed', accountId, cause: messageOf(error) }, 'Backup')
    })
  }

  #adopt(records: readonly AccountRecord[]): void {
    if (this.#stopped || records.length === 0) return
    for (const record of records) this.#options.fleet.adopt(record)
    this.begin(records.map(({ accountId }) => accountId))
  }
}

/** An account as its backup knows it. */
export function recordOf({ accountId, name, phone, desired, createdAt }: AccountDocument): AccountRecord {
  return { accountId, name, phone, desired, purge: false, createdAt }
}
