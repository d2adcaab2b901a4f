import { AppError, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Registry } from '../accounts/registry.ts'
import type { AccountRecord } from '../accounts/store.ts'
import type { Workers } from './workers.ts'
import type { Wishes } from './wishes.ts'

export interface AccountRemovalsOptions {
  registry: Registry
  log: Log
  /** Takes the session of a stopped account off its directory, whose lock it waits for. */
  retireSession: (record: AccountRecord, lockWaitMs: number) => Promise<void>
  /** The account is not in the registry any more. */
  onForgotten: (accountId: string) => void
}

/** The account's own worker has ended; whoever else holds the directory is another program. */
const LOCK_WAIT_MS = 2000
/** At a start the worker of a supervisor that died may still be flushing: it has 8 s for it. */
const RESUMED_LOCK_WAIT_MS = 10_000

interface Removal {
  /** Whether anybody who asked for it wants the session destroyed. */
  purge: boolean
  /** The wish is on the disk. */
  wished: Promise<void>
  done: Promise<void>
}

/**
 * Stops an account, takes its session off its directory, and forgets it. The wish is on the disk before anything else
 * happens, so that a crash on the way ends in the same place.
 */
export class AccountRemovals {
  readonly #options: AccountRemovalsOptions
  readonly #workers: Workers
  readonly #wishes: Wishes
  readonly #underWay = new Map<string, Removal>()

  constructor(options: AccountRemovalsOptions, workers: Workers, wishes: Wishes) {
    this.#options = options
    this.#workers = workers
    this.#wishes = wishes
  }

  isUnderWay(accountId: string): boolean {
    return this.#underWay.has(accountId)
  }

  /**
   * Asked twice, it is done once, and the session destroyed where one of the two says so.
   * @throws AppError account_not_found, storage_unavailable, session_in_use, internal (its worker did not end)
   */
  remove(accountId: string, purge: boolean): Promise<void> {
    const known = this.#underWay.get(accountId)
    if (known === undefined) return this.#begin(accountId, purge, LOCK_WAIT_MS, this.#wish(accountId, purge))
    if (!purge || known.purge) return known.done
    known.purge = true
    return this.#purgeAsWell(accountId, known)
  }

  /** At boot: those that a crash cut short go on. */
  resume(records: readonly AccountRecord[]): void {
    const { log } = this.#options
    for (const { accountId, purge } of records) {
      this.#begin(accountId, purge, RESUMED_LOCK_WAIT_MS, Promise.resolve()).catch((error: unknown) => {
        log.error({ event: 'account.remove_failed', accountId, cause: messageOf(error) }, 'Account')
      })
    }
  }

  #begin(accountId: string, purge: boolean, lockWaitMs: number, wished: Promise<void>): Promise<void> {
    const removal: Removal = { purge, wished, done: wished }
    removal.done = wished
      .then(() => this.#finish(accountId, removal, lockWaitMs))
      .catch((error: unknown) => {
        this.#underWay.delete(accountId)
        throw error
      })
    this.#underWay.set(accountId, removal)
    return removal.done
  }

  async #wish(accountId: string, purge: boolean): Promise<void> {
    const before = this.#options.registry.get(accountId)
    if (before === undefined) throw new AppError('account_not_found', `There is no account "${accountId}".`)
    await this.#wishes.change(accountId, { desired: 'removed', purge: purge || before.record.purge })
    this.#workers.dispatch(accountId, { type: 'stop' })
  }

  /** For a crash on the way; the removal that is under way goes by what it was told. */
  async #purgeAsWell(accountId: string, removal: Removal): Promise<void> {
    // Where that fails, nobody wants the account removed: a purge must not be left to a later removal.
    await removal.wished
    await this.#wishes.change(accountId, { purge: true })
    await removal.done
  }

  /** The worker has ended, the session goes, the record goes. */
  async #finish(accountId: string, removal: Removal, lockWaitMs: number): Promise<void> {
    const { registry, log, retireSession, onForgotten } = this.#options
    const stopped = await this.#workers.ended(accountId)
    if (stopped === undefined) return void this.#underWay.delete(accountId)
    if (stopped.child.state.name !== 'absent') {
      throw new AppError('internal', `The worker of ${accountId} did not end. Its removal goes on at the next start.`)
    }
    let purge: boolean
    do {
      purge = removal.purge || stopped.record.purge
      await retireSession({ ...stopped.record, purge }, lockWaitMs)
      // Asked for meanwhile.
    } while (removal.purge && !purge)
    registry.delete(accountId)
    // Who adds the account again from here on adds a new one.
    this.#underWay.delete(accountId)
    onForgotten(accountId)
    await this.#wishes.save()
    log.info({ event: 'account.removed', accountId, purge }, 'Account')
  }
}
