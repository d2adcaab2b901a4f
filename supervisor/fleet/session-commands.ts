import type { Clock } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import { AppError, messageOf } from '../../shared/errors.ts'
import type { Recovery, RecoverFrom } from '../../shared/session/recovery.ts'
import { newAccount, type Account, type Registry } from '../accounts/registry.ts'
import type { AccountRecord } from '../accounts/store.ts'
import { NEW_CHILD } from '../core/child-lifecycle.ts'
import type { Workers } from './workers.ts'
import type { Wishes } from './wishes.ts'

export interface SessionCommandsOptions {
  registry: Registry
  clock: Clock
  log: Log
  /** Puts a session that was set aside into the directory of a stopped account: accounts/put-back.ts. */
  movePutBack: (accountId: string, session: string) => Promise<void>
  /**
   * Puts the account's backup beside its damaged session, for its worker to take: backup/restore.ts. Null where no backups
   * are kept; rejects with what is wrong, in words.
   */
  fetchBackup: ((accountId: string) => Promise<void>) | null
}

/** A recovery reads and writes a few MB, behind the start queue of a boot perhaps. */
const RECOVERY_WAIT_MS = 60_000

/** A request that is repeated, by a person or a program, comes within this. */
const SAME_REQUEST_MS = 60_000

/** A worker that has said its fault closes within 8 s. */
const WORKER_END_WAIT_MS = 10_000

/** The commands that change what an account's session is. While one is under way, nothing else starts the account. */
export class SessionCommands {
  readonly #options: SessionCommandsOptions
  readonly #workers: Workers
  readonly #wishes: Wishes
  /** By account, since the supervisor's start. */
  readonly #lastPutBack = new Map<string, { session: string; atMs: number }>()
  /** By account: the session that is being put back; without `done` it was begun and has failed. */
  readonly #puttingBack = new Map<string, { session: string; done: Promise<void> | undefined }>()

  constructor(options: SessionCommandsOptions, workers: Workers, wishes: Wishes) {
    this.#options = options
    this.#workers = workers
    this.#wishes = wishes
  }

  /** Put-backs that a start could not finish: their accounts stay down until they are asked for again. */
  hold(stuck: ReadonlyMap<string, string>): void {
    for (const [accountId, session] of stuck) this.#puttingBack.set(accountId, { session, done: undefined })
  }

  /** Whether this put-back is over since a moment: the same request once more has nothing to do. */
  wasPutBack(accountId: string, session: string): boolean {
    const last = this.#lastPutBack.get(accountId)
    return last?.session === session && this.#options.clock.monotonicMs() - last.atMs < SAME_REQUEST_MS
  }

  isPuttingBack(accountId: string, session?: string): boolean {
    const known = this.#puttingBack.get(accountId)
    return known !== undefined && (session === undefined || known.session === session)
  }

  /** @throws AppError session_in_use */
  assertIdle(accountId: string): void {
    const session = this.#puttingBack.get(accountId)?.session
    if (session === undefined) return
    throw new AppError(
      'session_in_use',
      `Session "${session}" is being put back to account "${accountId}", or could not be: ask for that one again.`,
    )
  }

  /**
   * Asked twice, it is done once; another session for the same account has to wait. The account is stopped then: whoever
   * asked starts it.
   */
  putBack(record: AccountRecord, session: string): Promise<void> {
    const { accountId } = record
    const known = this.#puttingBack.get(accountId)
    if (known !== undefined && known.session !== session) this.assertIdle(accountId)
    if (known?.done !== undefined) return known.done
    const done = this.#putBack(record, session)
    this.#puttingBack.set(accountId, { session, done })
    return done
  }

  async #putBack(record: AccountRecord, session: string): Promise<void> {
    const { registry, log, movePutBack } = this.#options
    const { accountId } = record
    const isNew = registry.get(accountId) === undefined
    // In the registry at once, so that nobody adds it meanwhile; on the disk when its session is there.
    if (isNew) registry.put(newAccount(record, NEW_CHILD))
    let begun = false
    try {
      this.#workers.dispatch(accountId, { type: 'stop' })
      const stopped = await this.#workers.ended(accountId)
      if (stopped?.child.state.name !== 'absent') {
        throw new AppError('internal', `The worker of ${accountId} did not end: nothing was put back. Try again.`)
      }
      await movePutBack(accountId, session)
      this.#lastPutBack.set(accountId, { session, atMs: this.#options.clock.monotonicMs() })
      log.warn({ event: 'session.put_back', accountId, session }, 'Session')
      // Not saved, or a crash before it is: the next start finds the session without a record, as it finds any.
      if (isNew) await this.#wishes.save().catch(() => undefined)
    } catch (error) {
      begun = error instanceof AppError && error.details['begun'] === true
      if (isNew && !begun) registry.delete(accountId)
      throw error
    } finally {
      if (begun) this.#puttingBack.set(accountId, { session, done: undefined })
      else this.#puttingBack.delete(accountId)
    }
  }

  /**
   * Starts an account that stopped for a damaged session with the word to recover it.
   * @returns what the recovery did; null when the worker has not come to it in a minute
   * @throws AppError not_damaged, recovery_refused, storage_unavailable, session_in_use, account_paused
   */
  async recover(accountId: string, from: RecoverFrom): Promise<Recovery | null> {
    const { registry } = this.#options
    this.assertIdle(accountId)
    const damaged = registry.get(accountId)
    if (damaged === undefined) throw new AppError('account_not_found', `There is no account "${accountId}".`)
    if (registry.statusOf(damaged).reason === 'session_damaged') {
      // The worker says so, and then ends: the account shows it in between.
      await registry.waitFor(accountId, ({ child }) => child.state.name === 'given_up', WORKER_END_WAIT_MS)
    }
    const account = registry.get(accountId)
    if (account === undefined) throw new AppError('account_removing', `Account "${accountId}" was removed meanwhile.`)
    const { status, reason } = registry.statusOf(account)
    // Only one request gets past this: from here on the account is starting.
    if (account.child.state.name !== 'given_up' || reason !== 'session_damaged') {
      throw new AppError(
        'not_damaged',
        `Account "${accountId}" is ${status}${reason === null ? '' : ` (${reason})`}: only one that stopped with session_damaged can be recovered.`,
      )
    }
    this.assertIdle(accountId)
    if (from === 'backup') await this.#fetchBackup(accountId)
    const fetched = registry.get(accountId)
    if (fetched?.child.state.name !== 'given_up') {
      throw new AppError('not_damaged', `Account "${accountId}" was started or removed meanwhile.`)
    }
    registry.put({ ...fetched, recoverFrom: from, recovery: null })
    this.#workers.dispatch(accountId, { type: 'start' })
    const settled = await registry.waitFor(accountId, isRecovered, RECOVERY_WAIT_MS)
    if (settled === undefined) throw new AppError('account_removing', `Account "${accountId}" was removed meanwhile.`)
    if (settled.recovery !== null || settled.connection !== null) return settled.recovery
    const why = settled.fault?.message ?? 'the worker ended before it was done.'
    switch (registry.statusOf(settled).reason) {
      case 'session_damaged':
        throw new AppError('recovery_refused', why)
      case 'session_locked':
        throw new AppError('session_in_use', why)
      case 'paused':
        throw new AppError(
          'account_paused',
          `Account "${accountId}" was paused before it was done. Resume it, and ask again if it is still damaged.`,
        )
      case 'storage_full':
      case 'storage_failed':
      case 'worker_crashed':
      case 'worker_hung':
        throw new AppError('storage_unavailable', `The session was not recovered: ${why}`)
      case 'out_of_memory':
        throw new AppError('out_of_memory', `The session was not recovered: ${why}`)
      default:
        return null
    }
  }

  async #fetchBackup(accountId: string): Promise<void> {
    const { fetchBackup } = this.#options
    if (fetchBackup === null) throw refusedFor('none are kept: FIRESTORE_PROJECT_ID is not set.')
    await fetchBackup(accountId).catch((error: unknown) => Promise.reject(refusedFor(error)))
  }
}

function refusedFor(error: unknown): AppError {
  return new AppError('recovery_refused', `There is no backup to recover from: ${messageOf(error)}`, { cause: error })
}

/** It says what it did, or reports of its connection because there was nothing to do, or has ended. */
function isRecovered({ child, recovery, connection }: Account): boolean {
  const { name } = child.state
  return recovery !== null || connection !== null || name === 'given_up' || name === 'backing_off' || name === 'absent'
}
