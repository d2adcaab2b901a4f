import { isDeepStrictEqual } from 'node:util'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Registry } from '../accounts/registry.ts'
import type { AccountRecord, AccountStore } from '../accounts/store.ts'

/** The fleet's hand on what the operator wants: in memory and on the disk together, or in neither. */
export class Wishes {
  readonly #registry: Registry
  readonly #store: AccountStore
  readonly #log: Log
  /** One change after another: what a failed one takes back is then never another's. */
  #changing: Promise<void> = Promise.resolve()

  constructor(registry: Registry, store: AccountStore, log: Log) {
    this.#registry = registry
    this.#store = store
    this.#log = log
  }

  /**
   * Resolves when memory and disk say so; at once where both do already.
   * @throws AppError storage_unavailable: neither memory nor disk was changed
   */
  change(accountId: string, change: Partial<AccountRecord>): Promise<void> {
    const changed = this.#changing.then(() => this.#change(accountId, change))
    this.#changing = changed.catch(() => undefined)
    return changed
  }

  /** Saves the records as they are in memory. @throws AppError storage_unavailable */
  async save(): Promise<void> {
    try {
      await this.#store.save()
    } catch (error) {
      this.#log.error({ event: 'accounts.save_failed', cause: messageOf(error) }, 'accounts.json')
      const why = errnoOf(error) === 'ENOSPC' ? 'the disk is full' : messageOf(error)
      throw new AppError('storage_unavailable', `The list of accounts could not be saved: ${why}.`, { cause: error })
    }
  }

  async #change(accountId: string, change: Partial<AccountRecord>): Promise<void> {
    const before = this.#registry.get(accountId)?.record
    // In its turn: no change is under way now, so what memory says is on the disk.
    if (before === undefined || isDeepStrictEqual({ ...before, ...change }, before)) return
    this.#put(accountId, change)
    try {
      await this.save()
    } catch (error) {
      this.#put(accountId, before)
      // Somebody else's save may have been next in the queue, and have taken what is taken back here to the disk. Where
      // this one fails as well, the next save of anything has it.
      await this.#store.save().catch(() => undefined)
      throw error
    }
  }

  #put(accountId: string, change: Partial<AccountRecord>): void {
    const account = this.#registry.get(accountId)
    if (account !== undefined) this.#registry.put({ ...account, record: { ...account.record, ...change } })
  }
}
