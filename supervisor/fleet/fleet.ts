import type { Clock, Timer } from '../../shared/clock.ts'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'
import { EXIT } from '../../shared/exit-codes.ts'
import type { FromWorker, StartMessage } from '../../shared/ipc.ts'
import type { Log } from '../../shared/log.ts'
import { applyMessage } from '../accounts/apply-message.ts'
import { newAccount, type Account, type Registry } from '../accounts/registry.ts'
import type { AccountRecord, AccountStore } from '../accounts/store.ts'
import {
  deadlineOf,
  NEW_CHILD,
  stepChild,
  type ChildEffect,
  type ChildEvent,
  type ChildLimits,
} from '../core/child-lifecycle.ts'
import type { GateLimits } from '../core/connect-gate.ts'
import { forkWorker, type ProcessEnd, type WorkerCommand, type WorkerProcess } from './child-process.ts'
import { Gatekeeper } from './gatekeeper.ts'
import { PairingCodes } from './pairing-codes.ts'
import { StartQueue } from './start-queue.ts'

/**
 * The one loop: an event of an account (the operator's wish, a worker's message, the end of a process, a timer) goes
 * through core/child-lifecycle.ts, and the effects are carried out. Nothing else changes the registry, and nothing else
 * holds a process.
 */
export interface FleetOptions {
  registry: Registry
  store: AccountStore
  clock: Clock
  log: Log
  random: () => number
  worker: WorkerCommand
  /** What each worker is told at its start, but for the account itself. */
  startMessage: Omit<StartMessage, 'type' | 'accountId' | 'phone' | 'pairing'>
  childLimits: ChildLimits
  gateLimits: GateLimits
  /** Workers between fork and `ready` at one time. */
  startSlots: number
  /** Takes the session of a stopped account off its directory. */
  retireSession: (record: AccountRecord) => Promise<void>
}

/** A QR code that was asked for this long ago may still be wanted by somebody: a restarted worker shows a new one. */
const PAIRING_MEMORY_MS = 5 * 60_000

export class Fleet {
  readonly #options: FleetOptions
  readonly #queue: StartQueue
  readonly #gate: Gatekeeper
  readonly #codes: PairingCodes
  readonly #processes = new Map<string, WorkerProcess>()
  readonly #timers = new Map<string, Timer>()
  /** Monotonic ms before which an account does not start: the boot's stagger. */
  readonly #notBefore = new Map<string, number>()
  /** Accounts whose worker said that everything is on the disk. */
  readonly #flushed = new Set<string>()
  #rewriting: Promise<void> = Promise.resolve()
  readonly #removals = new Map<string, Promise<void>>()
  #stopping = false

  constructor(options: FleetOptions) {
    this.#options = options
    this.#codes = new PairingCodes(options.clock)
    this.#queue = new StartQueue(options.startSlots, options.clock, (id) => this.#dispatch(id, { type: 'slot' }))
    this.#gate = new Gatekeeper(
      options.gateLimits,
      options.clock,
      options.log,
      (id, shared) => this.#processes.get(id)?.send({ type: 'permit', shared }),
      () => {
        for (const process of this.#processes.values()) process.send({ type: 'retry' })
      },
    )
  }

  /** Makes the accounts known; nothing starts yet. Before the API answers, so that nobody adds one of them again. */
  load(records: readonly AccountRecord[]): void {
    for (const record of records) this.#options.registry.put(newAccount(record, NEW_CHILD))
  }

  /** Starts the accounts of a boot, each `offsetsMs` from now, in order. */
  boot(records: readonly AccountRecord[], offsetsMs: readonly number[]): void {
    const nowMs = this.#options.clock.monotonicMs()
    records.forEach(({ accountId }, index) => {
      this.#notBefore.set(accountId, nowMs + (offsetsMs[index] ?? 0))
      this.#dispatch(accountId, { type: 'start' })
    })
  }

  /**
   * Makes the account exist and its worker run; resolves when the wish is on the disk.
   * @throws AppError storage_unavailable: nothing was changed
   */
  async add(record: AccountRecord): Promise<void> {
    const { registry, clock, log } = this.#options
    this.#assertRunning()
    registry.put({ ...newAccount(record, NEW_CHILD), pairingAskedAtMs: clock.nowMs() })
    try {
      await this.#save()
    } catch (error) {
      // Unless somebody asked for the same account meanwhile and its worker runs: then it stays, and the next save has it.
      if (registry.get(record.accountId)?.child.state.name === 'absent') registry.delete(record.accountId)
      throw error
    }
    log.info({ event: 'account.added', accountId: record.accountId }, 'Account')
    this.#dispatch(record.accountId, { type: 'start' })
  }

  /**
   * Renames an account. Resolves when it is on the disk.
   * @throws AppError storage_unavailable, here and below: nothing was changed
   */
  async rename(accountId: string, name: string): Promise<void> {
    if (this.#account(accountId).record.name !== name) await this.#rewrite(accountId, { name })
  }

  /** Stops the account until it is resumed, over restarts of the service as well. Resolves when the wish is on the disk. */
  async pause(accountId: string): Promise<void> {
    this.#assertRunning()
    if (this.#account(accountId).record.desired !== 'paused') await this.#rewrite(accountId, { desired: 'paused' })
    this.#dispatch(accountId, { type: 'stop' })
  }

  /** Ends a pause. */
  async resume(accountId: string): Promise<void> {
    this.#assertRunning()
    if (this.#account(accountId).record.desired === 'paused') await this.#rewrite(accountId, { desired: 'running' })
    this.#dispatch(accountId, { type: 'start' })
  }

  /**
   * Unlinks the account at WhatsApp; its session is set aside, and it waits for a new pairing.
   * @throws AppError not_connected: WhatsApp could not be told
   */
  async logOut(accountId: string): Promise<void> {
    this.#assertRunning()
    const account = this.#account(accountId)
    const { registry } = this.#options
    const refusal = (): AppError =>
      new AppError(
        'not_connected',
        `Account "${accountId}" is not connected, so WhatsApp can't be told. Unlink it at the phone (Linked devices), or remove it here.`,
      )
    if (registry.statusOf(account).status !== 'connected') throw refusal()
    this.#processes.get(accountId)?.send({ type: 'log_out' })
    const isOver = (now: Account): boolean => registry.statusOf(now).status !== 'connected'
    const after = await registry.waitFor(accountId, isOver, LOG_OUT_WAIT_MS)
    // The connection may have ended by itself in this very moment.
    if (after === undefined || registry.statusOf(after).reason !== 'logged_out') throw refusal()
  }

  /** A pairing code of an account that offers a QR code; null where there is none. A secret: for the one who asked alone. */
  pairingCode(accountId: string): Promise<string | null> {
    const process = this.#processes.get(accountId)
    if (process === undefined) return Promise.resolve(null)
    return this.#codes.request(accountId, (requestId) => process.send({ type: 'request_pairing_code', requestId }))
  }

  /**
   * Asks for a QR code. Does nothing where the account is linked, or where one is on the screen.
   * @throws AppError account_paused
   */
  pair(accountId: string): void {
    this.#assertActive(accountId)
    this.#change(accountId, () => ({ pairingAskedAtMs: this.#options.clock.nowMs() }))
    this.#processes.get(accountId)?.send({ type: 'pair' })
    this.#dispatch(accountId, { type: 'start' })
  }

  /** A new process for the account; the old one flushes first. The others notice nothing. */
  restart(accountId: string): void {
    this.#assertActive(accountId)
    this.#dispatch(accountId, { type: 'stop', again: true })
  }

  /**
   * Stops the account, takes its session off its directory, and forgets it. The wish is on the disk before anything
   * else happens, so that a crash on the way ends in the same place. Asked twice, it is done once.
   */
  remove(accountId: string, purge: boolean): Promise<void> {
    const known = this.#removals.get(accountId)
    if (known !== undefined) return known
    const removal = this.#remove(accountId, purge).catch((error: unknown) => {
      this.#removals.delete(accountId)
      throw error
    })
    this.#removals.set(accountId, removal)
    return removal
  }

  async #remove(accountId: string, purge: boolean): Promise<void> {
    const { registry, log } = this.#options
    this.#assertRunning()
    const before = registry.get(accountId)
    if (before === undefined) throw new AppError('account_not_found', `There is no account "${accountId}".`)
    await this.#rewrite(accountId, { desired: 'removed', purge: purge || before.record.purge })
    this.#dispatch(accountId, { type: 'stop' })
    await this.#finishRemoval(accountId)
    log.info({ event: 'account.removed', accountId, purge }, 'Account')
  }

  /** At boot: removals that a crash cut short go on. */
  resumeRemovals(records: readonly AccountRecord[]): void {
    const { log } = this.#options
    for (const record of records) {
      this.#finishRemoval(record.accountId).catch((error: unknown) => {
        log.error({ event: 'account.remove_failed', accountId: record.accountId, cause: messageOf(error) }, 'Account')
      })
    }
  }

  /** The second half of a removal: the worker has ended, the session goes, the record goes. */
  async #finishRemoval(accountId: string): Promise<void> {
    const { registry, retireSession, childLimits } = this.#options
    const stopped = await registry.waitFor(
      accountId,
      ({ child }) => child.state.name === 'absent',
      childLimits.stopDeadlineMs + KILL_GRACE_MS,
    )
    if (stopped === undefined) return
    if (stopped.child.state.name !== 'absent') {
      throw new AppError('internal', `The worker of ${accountId} did not end. Its removal goes on at the next start.`)
    }
    await retireSession(stopped.record)
    registry.delete(accountId)
    // Who adds the account again from here on adds a new one.
    this.#removals.delete(accountId)
    await this.#save()
  }

  /**
   * Every worker flushes and ends, in parallel.
   * @returns the accounts whose worker had to be killed, or ended without saying that it had flushed
   */
  async stop(): Promise<string[]> {
    const { registry, childLimits } = this.#options
    this.#stopping = true
    this.#queue.stop()
    this.#gate.stop()
    const running = [...this.#processes.keys()]
    for (const account of registry.all()) this.#dispatch(account.record.accountId, { type: 'stop' })
    await Promise.all(
      running.map((accountId) =>
        registry.waitFor(
          accountId,
          ({ child }) => child.state.name === 'absent',
          childLimits.stopDeadlineMs + KILL_GRACE_MS,
        ),
      ),
    )
    for (const timer of this.#timers.values()) timer.cancel()
    return running.filter((accountId) => !this.#flushed.has(accountId))
  }

  /** A second signal: no more patience. */
  killAll(): void {
    for (const process of this.#processes.values()) process.kill()
  }

  #assertRunning(): void {
    if (this.#stopping) throw new AppError('shutting_down', 'The service is stopping. Try again when it is up.')
  }

  #account(accountId: string): Account {
    const account = this.#options.registry.get(accountId)
    if (account === undefined) throw new AppError('account_not_found', `There is no account "${accountId}".`)
    if (account.record.desired === 'removed') {
      throw new AppError('account_removing', `Account "${accountId}" is being removed.`)
    }
    return account
  }

  #assertActive(accountId: string): void {
    this.#assertRunning()
    if (this.#account(accountId).record.desired === 'paused') {
      throw new AppError('account_paused', `Account "${accountId}" is paused: resume it first.`)
    }
  }

  /** Changes an account's record in memory and on the disk; in neither where the disk refuses. One after another. */
  #rewrite(accountId: string, change: Partial<AccountRecord>): Promise<void> {
    const rewrite = this.#rewriting.then(() => this.#rewriteNow(accountId, change))
    this.#rewriting = rewrite.catch(() => undefined)
    return rewrite
  }

  async #rewriteNow(accountId: string, change: Partial<AccountRecord>): Promise<void> {
    const before = this.#options.registry.get(accountId)?.record
    this.#change(accountId, ({ record }) => ({ record: { ...record, ...change } }))
    try {
      await this.#save()
    } catch (error) {
      if (before !== undefined) this.#change(accountId, () => ({ record: before }))
      throw error
    }
  }

  async #save(): Promise<void> {
    try {
      await this.#options.store.save()
    } catch (error) {
      this.#options.log.error({ event: 'accounts.save_failed', cause: messageOf(error) }, 'accounts.json')
      const why = errnoOf(error) === 'ENOSPC' ? 'the disk is full' : messageOf(error)
      throw new AppError('storage_unavailable', `The list of accounts could not be saved: ${why}.`, { cause: error })
    }
  }

  #change(accountId: string, change: (account: Account) => Partial<Account>): void {
    const account = this.#options.registry.get(accountId)
    if (account !== undefined) this.#options.registry.put({ ...account, ...change(account) })
  }

  #dispatch(accountId: string, event: ChildEvent): void {
    const { registry, clock, childLimits } = this.#options
    const account = registry.get(accountId)
    if (account === undefined) return
    if (this.#stopping && (event.type === 'start' || event.type === 'slot')) return
    const [child, effects] = stepChild(account.child, event, clock.monotonicMs(), childLimits)
    if (child !== account.child) {
      const byOperator = event.type === 'start' || event.type === 'stop'
      registry.put({ ...account, child, ...(byOperator ? { fault: null } : {}) })
    }
    if (child.state.name !== 'starting' && child.state.name !== 'queued') this.#queue.leave(accountId)
    this.#armTimer(accountId)
    for (const effect of effects) this.#carryOut(accountId, effect)
  }

  #armTimer(accountId: string): void {
    const { registry, clock, childLimits } = this.#options
    this.#timers.get(accountId)?.cancel()
    this.#timers.delete(accountId)
    const account = registry.get(accountId)
    const dueMs = account && deadlineOf(account.child, childLimits)
    if (dueMs === undefined) return
    const timer = clock.setTimer(dueMs - clock.monotonicMs(), () => {
      const lateMs = clock.monotonicMs() - dueMs
      this.#dispatch(accountId, { type: 'deadline', lateMs })
    })
    this.#timers.set(accountId, timer)
  }

  #carryOut(accountId: string, effect: ChildEffect): void {
    const { clock, log, registry } = this.#options
    switch (effect.type) {
      case 'enqueue':
        this.#queue.enqueue(accountId, this.#notBefore.get(accountId) ?? clock.monotonicMs())
        this.#notBefore.delete(accountId)
        return
      case 'dequeue':
        return this.#queue.leave(accountId)
      case 'spawn':
        return this.#spawn(accountId, effect.generation)
      case 'ask_to_stop':
        this.#processes.get(accountId)?.send({ type: 'stop' })
        return
      case 'kill':
        log.error(
          { event: 'child.killed', accountId, why: effect.why, pid: registry.get(accountId)?.process?.pid },
          'Worker',
        )
        this.#processes.get(accountId)?.kill()
        return
      default:
        return effect satisfies never
    }
  }

  #spawn(accountId: string, generation: number): void {
    const { registry, clock, log, worker, startMessage } = this.#options
    const account = registry.get(accountId)
    if (account === undefined) return
    this.#flushed.delete(accountId)
    const process = forkWorker(
      worker,
      accountId,
      (message) => this.#onMessage(accountId, generation, message),
      (end) => this.#onEnd(accountId, generation, end),
    )
    this.#processes.set(accountId, process)
    if (process.pid === undefined) return
    const { pid } = process
    log.info({ event: 'child.spawned', accountId, pid, generation }, 'Worker')
    this.#change(accountId, () => ({
      process: { pid, startedAtMs: clock.nowMs(), rssBytes: null, loopDelayMs: null },
      connection: null,
      qr: null,
    }))
    const askedAtMs = account.pairingAskedAtMs
    process.send({
      ...startMessage,
      type: 'start',
      accountId,
      phone: account.record.phone,
      pairing: askedAtMs !== null && clock.nowMs() - askedAtMs < PAIRING_MEMORY_MS,
    })
  }

  #onMessage(accountId: string, generation: number, message: FromWorker): void {
    const { clock, registry } = this.#options
    const account = registry.get(accountId)
    if (account?.child.generation !== generation) return
    const change = applyMessage(account, message, clock.nowMs())
    if (Object.keys(change).length > 0) registry.put({ ...account, ...change })
    switch (message.type) {
      case 'ready':
      case 'heartbeat':
        return this.#dispatch(accountId, { type: message.type, generation })
      case 'permit_request':
        return this.#gate.request(accountId)
      case 'permit_result':
        return this.#gate.settle(accountId, message.result)
      case 'identity':
        // Its phone was not known before: worth keeping, and nothing is lost if it can't be now.
        if (account.record.phone === null) void this.#save().catch(() => undefined)
        return
      case 'pairing_code':
        return this.#codes.answer(accountId, message.requestId, message.code)
      case 'stopped':
        this.#flushed.add(accountId)
        return
      case 'connection':
      case 'qr':
      case 'messages':
      case 'fault':
        return
      default:
        return message satisfies never
    }
  }

  #onEnd(accountId: string, generation: number, end: ProcessEnd): void {
    const { registry, log, random } = this.#options
    const account = registry.get(accountId)
    if (account?.child.generation !== generation) return
    this.#processes.delete(accountId)
    this.#gate.withdraw(accountId)
    this.#codes.giveUp(accountId)
    if (end.code !== null && NOTHING_TO_FLUSH.has(end.code)) this.#flushed.add(accountId)
    const wanted = account.child.state.name === 'stopping' || end.code === EXIT.renew.code
    log[wanted ? 'info' : 'warn'](
      {
        event: 'child.exited',
        accountId,
        pid: account.process?.pid,
        code: end.code,
        signal: end.signal,
        wanted,
        ...(end.error ? { cause: end.error.message } : {}),
      },
      'Worker',
    )
    this.#change(accountId, ({ crashCount }) => ({
      process: null,
      connection: null,
      qr: null,
      crashCount: crashCount + (wanted ? 0 : 1),
    }))
    this.#dispatch(accountId, { type: 'exited', generation, code: end.code, signal: end.signal, random: random() })
    this.#change(accountId, ({ child, fault }) => {
      const reason = child.state.name === 'backing_off' || child.state.name === 'given_up' ? child.state.reason : null
      return reason === null || fault !== null ? {} : { fault: { reason, message: null } }
    })
  }
}

/** From the operator's word to the worker's report; WhatsApp is told after it. */
const LOG_OUT_WAIT_MS = 10_000

/** A worker that ends like this, as it may do while it is asked to stop, had no session open or has closed it. */
const NOTHING_TO_FLUSH: ReadonlySet<number> = new Set([EXIT.ok.code, EXIT.sessionDamaged.code, EXIT.sessionLocked.code])

/** From SIGKILL to the end of the process; only a process stuck in the kernel takes longer. */
const KILL_GRACE_MS = 3000
