import { randomUUID } from 'node:crypto'
import type { Clock } from '../../shared/clock.ts'
import { LATE, withDeadline } from '../../shared/deadline.ts'
import { AppError, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import {
  countsOf,
  keepNewest,
  withResult,
  type Action,
  type ActionName,
  type ActionResult,
} from '../core/bulk-action.ts'
import type { Fleet } from './fleet.ts'

/**
 * An action on a selection of accounts: answered at once, then carried out one account after another, staggered, each
 * with an outcome of its own. What happens to one account is what its own route does, so twice is once.
 */
export interface BulkActionsOptions {
  fleet: Pick<Fleet, 'restart' | 'pause' | 'resume' | 'pair' | 'logOut' | 'remove' | 'assertRunning'>
  clock: Clock
  log: Log
  random: () => number
  /** Between two restarts: SPAWN_STAGGER_MIN_MS, SPAWN_STAGGER_MAX_MS. */
  stagger: { minMs: number; maxMs: number }
}

/** Between two accounts of any other action: what it starts is paced by the start queue and the connect gate. */
const GAP_MS = 50
/** A flush or a log-out that takes its ten seconds holds up four others, not all. */
const MOST_AT_ONCE = 5
/** Several times what a removal takes whose worker has to be killed: whoever takes longer waits for a disk that hangs. */
const ONE_DEADLINE_MS = 60_000
const MOST_UNDER_WAY = 10
const MOST_FINISHED = 50

export class BulkActions {
  readonly #options: BulkActionsOptions
  #actions: Action[] = []
  #stopped = false

  constructor(options: BulkActionsOptions) {
    this.#options = options
  }

  /** Those that are under way, oldest first. */
  get running(): readonly Action[] {
    return this.#actions.filter(({ finishedAtMs }) => finishedAtMs === null)
  }

  get(id: string): Action | undefined {
    return this.#actions.find((action) => action.id === id)
  }

  /**
   * Begins.
   * @throws AppError shutting_down, too_many_actions
   */
  begin(name: ActionName, accountIds: readonly string[]): Action {
    const { fleet, clock, log } = this.#options
    fleet.assertRunning()
    if (this.running.length >= MOST_UNDER_WAY) {
      throw new AppError('too_many_actions', `${MOST_UNDER_WAY} actions are under way: wait until one of them is over.`)
    }
    const ids = [...new Set(accountIds)]
    const startedAtMs = clock.nowMs()
    const action: Action = {
      id: randomUUID(),
      action: name,
      total: ids.length,
      startedAtMs,
      finishedAtMs: null,
      results: [],
    }
    this.#actions = keepNewest([...this.#actions, action], MOST_FINISHED)
    log.info({ event: 'action.started', actionId: action.id, action: name, accounts: ids.length }, 'Action')
    void this.#run(action, ids)
    return action
  }

  stop(): void {
    this.#stopped = true
  }

  async #run({ id, action: name }: Action, accountIds: readonly string[]): Promise<void> {
    const underWay = new Set<Promise<void>>()
    for (const [index, accountId] of accountIds.entries()) {
      if (index > 0) await this.#pause(name)
      if (this.#stopped) return
      while (underWay.size >= MOST_AT_ONCE) await Promise.race(underWay)
      const one = this.#one(name, accountId).then((result) => {
        underWay.delete(one)
        this.#settle(id, result)
      })
      underWay.add(one)
    }
  }

  async #one(name: ActionName, accountId: string): Promise<ActionResult> {
    const { clock, log } = this.#options
    const fail = (error: unknown): void => {
      log.error({ event: 'action.failed', accountId, action: name, cause: messageOf(error) }, 'Action')
    }
    try {
      const work = this.#carryOut(name, accountId)
      // What is late goes on by itself: no action waits for it, nor does whoever wants another one.
      const result = await withDeadline(work, ONE_DEADLINE_MS, clock)
      if (result !== LATE) return { accountId, outcome: 'done' }
      log.error({ event: 'action.late', accountId, action: name }, 'Action')
      work.catch(fail)
      const message = `It is still under way after ${ONE_DEADLINE_MS / 1000} s: look at the disk, then at the account.`
      return { accountId, outcome: 'error', error: { code: 'storage_unavailable', message } }
    } catch (error) {
      if (error instanceof AppError) {
        return { accountId, outcome: 'error', error: { code: error.code, message: error.message } }
      }
      fail(error)
      const message = 'Something went wrong in the service; its log has the details.'
      return { accountId, outcome: 'error', error: { code: 'internal', message } }
    }
  }

  async #carryOut(name: ActionName, accountId: string): Promise<void> {
    const { fleet } = this.#options
    switch (name) {
      case 'restart':
        return fleet.restart(accountId)
      case 'pause':
        return fleet.pause(accountId)
      case 'resume':
        return fleet.resume(accountId)
      case 'pair':
        return fleet.pair(accountId)
      case 'logout':
        return fleet.logOut(accountId)
      case 'remove':
        return fleet.remove(accountId, false)
      default:
        return name satisfies never
    }
  }

  #settle(id: string, result: ActionResult): void {
    const { clock, log } = this.#options
    this.#actions = this.#actions.map((action) =>
      action.id === id ? withResult(action, result, clock.nowMs()) : action,
    )
    const action = this.get(id)
    if (action === undefined || action.finishedAtMs === null) return
    log.info({ event: 'action.completed', actionId: id, action: action.action, ...countsOf(action) }, 'Action')
    this.#actions = keepNewest(this.#actions, MOST_FINISHED)
  }

  #pause(name: ActionName): Promise<void> {
    const { clock, random, stagger } = this.#options
    const delayMs = name === 'restart' ? stagger.minMs + (stagger.maxMs - stagger.minMs) * random() : GAP_MS
    return new Promise((resolve) => {
      clock.setTimer(delayMs, resolve, { unref: true })
    })
  }
}
