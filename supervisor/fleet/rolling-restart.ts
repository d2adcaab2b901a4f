import type { Clock } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import type { Account, Registry } from '../accounts/registry.ts'

/**
 * A new process for every account, one after another: the next one goes when the last is back where it was, and the
 * stagger of a boot lies between them. When accounts that were connected don't come back, or all connects are paused, it
 * stops, before the rest are down as well.
 */
export interface RollingRestartOptions {
  registry: Registry
  clock: Clock
  log: Log
  random: () => number
  /** SPAWN_STAGGER_MIN_MS, SPAWN_STAGGER_MAX_MS. */
  stagger: { minMs: number; maxMs: number }
  restart: (accountId: string) => void
  /** The operator lets nobody connect: whoever is restarted would stay down. */
  isHeld: () => boolean
}

export interface RestartProgress {
  /** Epoch ms. */
  startedAtMs: number
  done: number
  total: number
}

/** From the restart of one account to its connection: what a flush, a start and a login take a loaded host. */
const BACK_WITHIN_MS = 60_000
/** So many in a row that were connected and did not come back end it. */
const MOST_FAILURES = 3

export class RollingRestart {
  readonly #options: RollingRestartOptions
  #progress: RestartProgress | null = null
  #stopped = false

  constructor(options: RollingRestartOptions) {
    this.#options = options
  }

  /** Null while none is under way. */
  get progress(): RestartProgress | null {
    return this.#progress
  }

  /** Begins, unless one is under way: asking twice is asking once. */
  begin(): RestartProgress {
    if (this.#progress !== null) return this.#progress
    const { registry, clock, log } = this.#options
    const accountIds = registry
      .all()
      .filter(({ record }) => record.desired === 'running')
      .map(({ record }) => record.accountId)
    const progress = { startedAtMs: clock.nowMs(), done: 0, total: accountIds.length }
    this.#progress = progress
    log.info({ event: 'restart_all.started', accounts: accountIds.length }, 'Restarting every account')
    void this.#run(accountIds).finally(() => {
      this.#progress = null
    })
    return progress
  }

  stop(): void {
    this.#stopped = true
  }

  async #run(accountIds: readonly string[]): Promise<void> {
    const { log } = this.#options
    let failures = 0
    for (const [index, accountId] of accountIds.entries()) {
      if (index > 0) await this.#pause()
      if (this.#stopped) return
      if (this.#options.isHeld()) {
        log.warn(
          { event: 'restart_all.aborted', done: index, total: accountIds.length, accountId },
          'All connects were paused: the others are left as they are',
        )
        return
      }
      failures = (await this.#restart(accountId)) ? 0 : failures + 1
      this.#progress = this.#progress && { ...this.#progress, done: index + 1 }
      if (failures >= MOST_FAILURES) {
        log.error(
          { event: 'restart_all.aborted', done: index + 1, total: accountIds.length, accountId },
          'Accounts that were connected do not come back: the others are left as they are',
        )
        return
      }
    }
    log.info({ event: 'restart_all.completed', accounts: accountIds.length }, 'Every account was restarted')
  }

  /** @returns false where the account was connected and is not again in time */
  async #restart(accountId: string): Promise<boolean> {
    const { registry, restart } = this.#options
    const before = registry.get(accountId)
    if (before?.record.desired !== 'running') return true
    const isConnected = (account: Account): boolean => registry.statusOf(account).status === 'connected'
    const wasConnected = isConnected(before)
    restart(accountId)
    if (!wasConnected) return true
    const { generation } = before.child
    const isBack = (account: Account): boolean =>
      account.record.desired !== 'running' || (account.child.generation > generation && isConnected(account))
    const after = await registry.waitFor(accountId, isBack, BACK_WITHIN_MS)
    return after === undefined || isBack(after)
  }

  #pause(): Promise<void> {
    const { clock, random, stagger } = this.#options
    return new Promise((resolve) => {
      clock.setTimer(stagger.minMs + (stagger.maxMs - stagger.minMs) * random(), resolve, { unref: true })
    })
  }
}
