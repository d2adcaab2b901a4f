import type { Clock, Timer } from '../../shared/clock.ts'
import type { ClientVersion, FromWorker, LogLine, ToWorker } from '../../shared/ipc.ts'
import type { Log } from '../../shared/log.ts'
import { OOM_SCORES, setOomScore } from '../../shared/oom-score.ts'
import { applyMessage } from '../accounts/apply-message.ts'
import { receiptFor, tellReceived } from '../accounts/received.ts'
import { newProcess, type Account, type Registry } from '../accounts/registry.ts'
import { deadlineOf, stepChild, type ChildEffect, type ChildEvent, type ChildLimits } from '../core/child-lifecycle.ts'
import type { GateLimits } from '../core/connect-gate.ts'
import { describeTrouble } from '../core/fleet-trouble.ts'
import { heirOfMemory } from '../core/memory-shortage.ts'
import { recentRestarts } from '../core/recent-restarts.ts'
import { Retirements } from '../core/retirements.ts'
import { forkWorker, type ProcessEnd, type WorkerProcess } from './child-process.ts'
import { ClientVersions } from './client-versions.ts'
import { findTrouble, type Trouble } from './find-trouble.ts'
import { Gatekeeper } from './gatekeeper.ts'
import { MassRefusals } from './mass-refusals.ts'
import { MemoryWatch } from './memory-watch.ts'
import { killOrphan } from './orphan.ts'
import { PairingCodes } from './pairing-codes.ts'
import type { SessionWatch } from './session-watch.ts'
import { Snapshots, type SnapshotAnswer } from './snapshots.ts'
import { startMessageOf, type FleetStart } from './start-message.ts'
import { StartQueue } from './start-queue.ts'
import { judgeEnd, tellEnd, withoutProcess } from './worker-end.ts'
import type { WorkerProgram } from './worker-program.ts'

/**
 * The one loop: an event of an account (the operator's wish, a worker's message, the end of a process, a timer) goes
 * through core/child-lifecycle.ts, and the effects are carried out. Nothing else holds a process.
 */
export interface WorkersOptions {
  registry: Registry
  clock: Clock
  log: Log
  random: () => number
  program: Pick<WorkerProgram, 'command' | 'entries' | 'cacheUnused'>
  /** What each worker is told at its start, but for the account itself. */
  startMessage: FleetStart
  /** WA_VERSION, and where a newer one is looked up; null: nowhere. */
  clientVersion: { configured: ClientVersion | null; url: string | null }
  childLimits: ChildLimits
  gateLimits: GateLimits
  /** Workers between fork and `ready` at one time. */
  startSlots: number
  /** Who is told of sessions that change; null: nobody, and workers don't say. */
  sessionWatch: SessionWatch | null
  /** Lines that an account's worker has logged. */
  onLog: (accountId: string, lines: readonly LogLine[], dropped: number) => void
}

/** Reading and handing over the largest session takes well under a second; a worker that takes this long hangs. */
const SNAPSHOT_DEADLINE_MS = 15_000

/** From SIGKILL to the end of the process; only a process stuck in the kernel takes longer. */
const KILL_GRACE_MS = 3000

export class Workers {
  readonly #options: WorkersOptions
  /** A session that was found without a record says whose it is: worth keeping. */
  readonly #onPhoneLearned: () => void
  readonly #queue: StartQueue
  readonly #gate: Gatekeeper
  readonly #codes: PairingCodes
  readonly #versions: ClientVersions
  readonly #refusals: MassRefusals
  readonly #memory: MemoryWatch
  readonly #snapshots: Snapshots
  readonly #retirements = new Retirements()
  readonly #processes = new Map<string, WorkerProcess>()
  readonly #timers = new Map<string, Timer>()
  /** Monotonic ms before which an account does not start: the boot's stagger. */
  readonly #notBefore = new Map<string, number>()
  /** Accounts whose worker said that everything is on the disk. */
  readonly #flushed = new Set<string>()
  #stopping = false

  constructor(options: WorkersOptions, onPhoneLearned: () => void) {
    this.#options = options
    this.#onPhoneLearned = onPhoneLearned
    this.#codes = new PairingCodes(options.clock)
    this.#refusals = new MassRefusals(options.clock, options.log)
    this.#memory = new MemoryWatch(options.clock, options.log)
    this.#snapshots = new Snapshots(options.clock)
    this.#versions = new ClientVersions({
      ...options.clientVersion,
      sessionsPath: options.startMessage.sessionsPath,
      clock: options.clock,
      log: options.log,
      onOrder: (version) => this.#broadcast({ type: 'use_version', version }),
    })
    this.#queue = new StartQueue(options.startSlots, options.clock, (id) => this.dispatch(id, { type: 'slot' }))
    this.#gate = new Gatekeeper(
      options.gateLimits,
      options.clock,
      options.log,
      (id, shared) => this.send(id, { type: 'permit', shared }),
      () => this.#broadcast({ type: 'retry' }),
      (id) => this.send(id, { type: 'abandon' }),
    )
  }

  get isStopping(): boolean {
    return this.#stopping
  }

  /** What is wrong with the whole fleet; null while nothing is. */
  get trouble(): Trouble | null {
    return findTrouble(this.#options.registry, this.#gate, this.#versions, this.#refusals, this.#memory)
  }

  /** Why no account can be added; null while there is memory. */
  get memoryShortage(): string | null {
    const short = this.#memory.trouble
    return short === null ? null : describeTrouble('out_of_memory', short.accounts, null)
  }

  /** Lets no account connect from now on (epoch ms), or (null) again all of them in turn. */
  setHold(sinceMs: number | null): void {
    this.#gate.setHold(sinceMs)
  }

  get hold(): { sinceMs: number } | null {
    return this.#gate.hold
  }

  /** Of the connect gate, for whoever measures. */
  get connects(): Gatekeeper['counts'] {
    return this.#gate.counts
  }

  /** What has to be known before the first worker starts. */
  async load(): Promise<void> {
    await this.#versions.load()
  }

  /** Starts the account's worker no sooner than `delayMs` from now. */
  startIn(accountId: string, delayMs: number): void {
    this.#notBefore.set(accountId, this.#options.clock.monotonicMs() + delayMs)
    this.dispatch(accountId, { type: 'start' })
  }

  /** An operator asked for it: the boot's stagger does not hold it up any more. */
  hasten(accountId: string): void {
    this.#queue.hasten(accountId)
  }

  /** To the account's worker; where there is none, nobody hears it. */
  send(accountId: string, message: ToWorker): void {
    this.#processes.get(accountId)?.send(message)
  }

  /** A pairing code of an account that offers a QR code; null where there is none. A secret: for the one who asked alone. */
  pairingCode(accountId: string): Promise<string | null> {
    const process = this.#processes.get(accountId)
    if (process === undefined) return Promise.resolve(null)
    return this.#codes.request(accountId, (requestId) => process.send({ type: 'request_pairing_code', requestId }))
  }

  /** The account's session as it is now. A secret. Never rejects. */
  snapshot(accountId: string): Promise<SnapshotAnswer> {
    const process = this.#processes.get(accountId)
    if (process === undefined) return Promise.resolve(null)
    return this.#snapshots.request(accountId, SNAPSHOT_DEADLINE_MS, (requestId) =>
      process.send({ type: 'snapshot_request', requestId }),
    )
  }

  /**
   * Every worker flushes and ends, in parallel.
   * @returns the accounts whose worker had to be killed, or ended without saying that it had flushed
   */
  async stop(): Promise<string[]> {
    const { registry } = this.#options
    this.#stopping = true
    this.#queue.stop()
    this.#gate.stop()
    const running = [...this.#processes.keys()]
    for (const account of registry.all()) this.dispatch(account.record.accountId, { type: 'stop' })
    await Promise.all(running.map((accountId) => this.ended(accountId)))
    for (const timer of this.#timers.values()) timer.cancel()
    return running.filter((accountId) => !this.#flushed.has(accountId))
  }

  /**
   * Waits for the end of a worker that was asked to stop, at most until it must have been killed.
   * @returns the account as it is then, its child `absent` or not; undefined when there is no such account any more
   */
  ended(accountId: string): Promise<Account | undefined> {
    const { registry, childLimits } = this.#options
    const isAbsent = ({ child }: Account): boolean => child.state.name === 'absent'
    return registry.waitFor(accountId, isAbsent, childLimits.stopDeadlineMs + KILL_GRACE_MS)
  }

  /** A second signal: no more patience. */
  killAll(): void {
    for (const process of this.#processes.values()) process.kill()
  }

  #broadcast(message: ToWorker): void {
    for (const process of this.#processes.values()) process.send(message)
  }

  #change(accountId: string, change: (account: Account) => Partial<Account>): void {
    const account = this.#options.registry.get(accountId)
    if (account !== undefined) this.#options.registry.put({ ...account, ...change(account) })
  }

  /** One event of an account, and all that follows from it. */
  dispatch(accountId: string, event: ChildEvent): void {
    const { registry, clock, childLimits } = this.#options
    const account = registry.get(accountId)
    if (account === undefined) return
    if (this.#stopping && (event.type === 'start' || event.type === 'slot')) return
    const [child, effects] = stepChild(account.child, event, clock.monotonicMs(), childLimits)
    if (child !== account.child) {
      const byOperator = event.type === 'start' || event.type === 'stop'
      // What was asked of a process that is not to come is not left for another one.
      const isOver = event.type === 'stop' && event.again !== true
      if (isOver) this.#memory.forget(accountId)
      registry.put({
        ...account,
        child,
        ...(byOperator ? { fault: null } : {}),
        ...(isOver ? { recoverFrom: null } : {}),
      })
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
      this.dispatch(accountId, { type: 'deadline', lateMs })
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
        return this.#askToStop(accountId)
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

  #askToStop(accountId: string): void {
    const { sessionWatch, childLimits } = this.#options
    this.#snapshots.atStop(accountId, sessionWatch, childLimits.stopDeadlineMs + KILL_GRACE_MS, (lastSnapshot) =>
      this.send(accountId, { type: 'stop', lastSnapshot }),
    )
  }

  #spawn(accountId: string, generation: number): void {
    const { registry, clock, log, program, startMessage, sessionWatch } = this.#options
    const account = registry.get(accountId)
    if (account === undefined) return
    this.#flushed.delete(accountId)
    const process = forkWorker(
      program.command,
      accountId,
      (message) => this.#onMessage(accountId, generation, message),
      (end) => this.#onEnd(accountId, generation, end),
    )
    this.#processes.set(accountId, process)
    if (process.pid === undefined) return
    const { pid } = process
    setOomScore(pid, account.hasConnected ? OOM_SCORES.begun : OOM_SCORES.unproven)
    log.info({ event: 'child.spawned', accountId, pid, generation }, 'Worker')
    const nowMs = clock.nowMs()
    this.#change(accountId, ({ restartsAtMs }) => ({
      process: newProcess(pid, nowMs),
      restartsAtMs: generation > 1 ? [...recentRestarts(restartsAtMs, nowMs), nowMs] : restartsAtMs,
      connection: null,
      qr: null,
      recovery: null,
      recoverFrom: null,
    }))
    const backup = sessionWatch !== null
    process.send(startMessageOf(account, startMessage, { order: this.#versions.startOrder, backup, nowMs }))
  }

  #onMessage(accountId: string, generation: number, message: FromWorker): void {
    const { clock, registry } = this.#options
    const account = registry.get(accountId)
    if (account?.child.generation !== generation) return
    const change = applyMessage(account, message, clock.nowMs(), clock.monotonicMs())
    if (Object.keys(change).length > 0) registry.put({ ...account, ...change })
    switch (message.type) {
      case 'code_cache_unused':
        return this.#options.program.cacheUnused(message.cause)
      case 'ready':
        this.#versions.learn(message.version)
        return this.dispatch(accountId, { type: 'ready', generation })
      case 'heartbeat':
        return this.dispatch(accountId, { type: 'heartbeat', generation })
      case 'retire_request': {
        const isConnected = account.connection?.status === 'connected'
        // A fresh process is smaller than the one that asks: want of memory is no reason to wait.
        const isTroubled = this.trouble !== null && this.trouble.kind !== 'out_of_memory'
        const fleet = { isPaused: this.hold !== null, isTroubled, nowMs: clock.monotonicMs() }
        if (this.#retirements.allows({ accountId, isConnected, ...fleet })) this.send(accountId, { type: 'retire' })
        return
      }
      case 'permit_request':
        return this.#gate.request(accountId, message.firstLogin)
      case 'permit_result':
        return this.#gate.settle(accountId, message.result)
      case 'identity':
        // Its phone was not known before: worth keeping, and nothing is lost if it can't be now.
        if (account.record.phone === null) this.#onPhoneLearned()
        if (registry.findElder(accountId, message.phone)) this.send(accountId, { type: 'number_taken' })
        return
      case 'set_aside_request':
        return this.send(accountId, { type: 'set_aside_answer', allowed: this.#refusals.judge(accountId) })
      case 'version_verdict':
        return this.#versions.verdict(message.version, message.accepted)
      case 'pairing_code':
        return this.#codes.answer(accountId, message.requestId, message.code)
      case 'session_changed':
        return this.#options.sessionWatch?.changed(accountId, message)
      case 'snapshot':
        return this.#snapshots.answer(accountId, message)
      case 'stopped':
        this.#flushed.add(accountId)
        return
      case 'messages':
        tellReceived(account, message, this.#options.log)
        return this.send(accountId, receiptFor(message))
      case 'connection':
        if (message.status !== 'connected') return
        this.#refusals.forget(accountId)
        return this.#retirements.connected(accountId)
      case 'fault': {
        const { program, log } = this.#options
        if (message.holderPid !== null) killOrphan(message.holderPid, accountId, program.entries, log)
        return
      }
      case 'log':
        return this.#options.onLog(accountId, message.lines, message.dropped)
      case 'qr':
      case 'recovered':
        return
      default:
        return message satisfies never
    }
  }

  /** @param account as it was before these messages */
  #onEnd(accountId: string, generation: number, end: ProcessEnd): void {
    const { registry, log, random } = this.#options
    const account = registry.get(accountId)
    if (account?.child.generation !== generation) return
    this.#processes.delete(accountId)
    this.#gate.withdraw(accountId)
    this.#codes.giveUp(accountId)
    this.#snapshots.giveUp(accountId)
    this.#retirements.ended(accountId)
    const { wanted, flushed, outOfMemory } = judgeEnd(account, end, this.#memory)
    if (flushed) this.#flushed.add(accountId)
    tellEnd(account, end, { wanted, outOfMemory }, log)
    this.#change(accountId, (now) => withoutProcess(now, wanted))
    const { code, signal } = end
    this.dispatch(accountId, { type: 'exited', generation, code, signal, outOfMemory, random: random() })
    const heir = this.#stopping ? undefined : heirOfMemory(registry.get(accountId)?.child.state, registry.all())
    // Its turn comes early. If there is not enough for it either, its pauses go on growing.
    if (heir !== undefined) this.dispatch(heir, { type: 'deadline', lateMs: 0 })
    this.#change(accountId, ({ child, fault }) => {
      const reason = child.state.name === 'backing_off' || child.state.name === 'given_up' ? child.state.reason : null
      return reason === null || fault !== null ? {} : { fault: { reason, message: null } }
    })
  }
}
