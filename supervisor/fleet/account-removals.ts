import { AppError, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Registry } from '../accounts/registry.ts'
import type { AccountRecord } from '../accounts/store.ts'
import type { Workers } from './workers.ts'
import type { Wishes } from './wishes.ts'

export interface AccountRemovalsOptions {
  registry: Registry
  log: Log
  /** Takes the session of a stopped account off its directory. */
  retireSession: (record: AccountRecord) => Promise<void>
  /** The account is not in the registry any more. */
  onForgotten: (accountId: string) => void
}

/**
 * Stops an account, takes its session off its directory, and forgets it. The wish is on the disk before anything else
 * happens, so that a crash on the way ends in the same place.
 */
export class AccountRemovals {
  readonly #options: AccountRemovalsOptions
  readonly #workers: Workers
  readonly #wishes: Wishes
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(options: AccountRemovalsOptions, workers: Workers, wishes: Wishes) {
    this.#options = options
    this.#workers = workers
    this.#wishes = wishes
  }

  isUnderWay(accountId: string): boolean {
    return this.#underWay.has(accountId)
  }

  /**
   * Asked twice, it is done once.
   * @throws AppError account_not_found, storage_unavailable, session_in_use, internal (its worker did not end)
   */
  remove(accountId: string, purge: boolean): Promise<void> {
    const known = this.#underWay.get(accountId)
    if (known !== undefined) return known
    const removal = this.#remove(accountId, purge).catch((error: unknown) => {
      this.#underWay.delete(accountId)
      throw error
    })
    this.#underWay.set(accountId, removal)
    return removal
  }

  /** At boot: those that a crash cut short go on. */
  resume(records: readonly AccountRecord[]): void {
    const { log } = this.#options
    for (const { accountId } of records) {
      this.#finish(accountId).catch((error: unknown) => {
        log.error({ event: 'account.remove_failed', accountId, cause: messageOf(error) }, 'Account')
      })
    }
  }

  async #remove(accountId: string, purge: boolean): Promise<void> {
    const { registry, log } = this.#options
    const before = registry.get(accountId)
    if (before === undefined) throw new AppError('account_not_found', `There is no account "${accountId}".`)
    await this.#wishes.change(accountId, { desired: 'removed', purge: purge || before.record.purge })
    this.#workers.dispatch(accountId, { type: 'stop' })
    await this.#finish(accountId)
    log.info({ event: 'account.removed', accountId, purge }, 'Account')
  }

  /** The worker has ended, the session goes, the record goes. */
  async #finish(accountId: string): Promise<void> {
    const { registry, retireSession, onForgotten } = this.#options
    const stopped = await this.#workers.ended(accountId)
    if (stopped === undefined) return
    if (stopped.child.state.name !== 'absent') {
      throw new AppError('internal', `The worker of ${accountId} did not end. Its removal goes on at the next start.`)
    }
    await retireSession(stopped.record)
    registry.delete(accountId)
    // Who adds the account again from here on adds a new one.
    this.#underWay.delete(accountId)
    onForgotten(accountId)
    await this.#wishes.save()
  }
}
