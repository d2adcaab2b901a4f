import { AppError } from '../../shared/errors.ts'
import type { Recovery, RecoverFrom } from '../../shared/session/recovery.ts'
import type { Reason } from '../../shared/states.ts'
import { newAccount, type Account } from '../accounts/registry.ts'
import type { AccountRecord, AccountStore } from '../accounts/store.ts'
import { NEW_CHILD } from '../core/child-lifecycle.ts'
import { AccountRemovals } from './account-removals.ts'
import { ConnectHold } from './connect-hold.ts'
import { RollingRestart, type RestartProgress } from './rolling-restart.ts'
import { SessionCommands } from './session-commands.ts'
import { Workers, type WorkersOptions } from './workers.ts'
import { Wishes } from './wishes.ts'

/** What can be done with accounts: each command is a wish, kept on the disk where it has to last, and then an event. */
export interface FleetOptions extends WorkersOptions {
  /** SPAWN_STAGGER_MIN_MS, SPAWN_STAGGER_MAX_MS: between two accounts of a restart of all. */
  stagger: { minMs: number; maxMs: number }
  store: AccountStore
  /** See AccountRemovalsOptions. */
  retireSession: (record: AccountRecord, lockWaitMs: number) => Promise<void>
  /** Puts a session that was set aside into the directory of a stopped account. */
  movePutBack: (accountId: string, session: string) => Promise<void>
  /** Puts an account's backup beside its damaged session; null where no backups are kept. */
  fetchBackup: ((accountId: string) => Promise<void>) | null
}

/** From the operator's word to the worker's report; WhatsApp is told after it. */
const LOG_OUT_WAIT_MS = 10_000

export class Fleet {
  readonly #options: FleetOptions
  readonly #wishes: Wishes
  readonly #workers: Workers
  readonly #rolling: RollingRestart
  readonly #sessions: SessionCommands
  /** Accounts whose session is on its way from a backup: a worker would make a new one in its place. */
  readonly #awaiting = new Set<string>()
  readonly #removals: AccountRemovals
  readonly #hold: ConnectHold

  constructor(options: FleetOptions) {
    this.#options = options
    this.#wishes = new Wishes(options.registry, options.store, options.log)
    this.#workers = new Workers(options, () => void this.#wishes.save().catch(() => undefined))
    this.#hold = new ConnectHold({ ...options, sessionsPath: options.startMessage.sessionsPath, gate: this.#workers })
    this.#rolling = new RollingRestart({
      ...options,
      restart: (accountId) => {
        if (this.#mayStart(accountId)) this.#workers.dispatch(accountId, { type: 'stop', again: true })
      },
      isHeld: () => this.connectsPaused,
    })
    this.#sessions = new SessionCommands(options, this.#workers, this.#wishes)
    const onForgotten = (accountId: string): void => void this.#awaiting.delete(accountId)
    this.#removals = new AccountRemovals({ ...options, onForgotten }, this.#workers, this.#wishes)
  }

  /** What is wrong with the whole fleet: one event, not one of each account. Null while nothing is. */
  get trouble(): Workers['trouble'] {
    return this.#workers.trouble
  }

  /** Why no account can be added; null while there is memory. */
  get memoryShortage(): string | null {
    return this.#workers.memoryShortage
  }

  /** Set while the operator lets nobody connect. */
  get connectsPaused(): boolean {
    return this.#hold.isPaused
  }

  /** Of the connect gate, for whoever measures. */
  get connects(): Workers['connects'] {
    return this.#workers.connects
  }

  /** Of a restart of all accounts; null while none is under way. */
  get restarting(): RestartProgress | null {
    return this.#rolling.progress
  }

  /** Makes the accounts known; nothing starts yet. Before the API answers, so that nobody adds one of them again. */
  async load(records: readonly AccountRecord[]): Promise<void> {
    await this.#workers.load()
    await this.#hold.load()
    for (const record of records) this.#options.registry.put(newAccount(record, NEW_CHILD))
  }

  /** Put-backs that this start could not finish: their accounts stay down until they are asked for again. */
  holdPutBacks(stuck: ReadonlyMap<string, string>): void {
    this.#sessions.hold(stuck)
  }

  /** Starts the accounts of a boot, each `offsetsMs` from now, in order. */
  boot(records: readonly AccountRecord[], offsetsMs: readonly number[]): void {
    records.forEach(({ accountId }, index) => {
      if (!this.#sessions.isPuttingBack(accountId)) this.#workers.startIn(accountId, offsetsMs[index] ?? 0)
    })
  }

  /**
   * Makes the account exist and its worker run; resolves when the wish is on the disk.
   * @param pairing whether it asks for a QR code at once
   * @throws AppError storage_unavailable: nothing was changed
   */
  async add(record: AccountRecord, { pairing } = { pairing: true }): Promise<void> {
    const { registry, clock, log } = this.#options
    this.assertRunning()
    registry.put({ ...newAccount(record, NEW_CHILD), pairingAskedAtMs: pairing ? clock.nowMs() : null })
    try {
      await this.#wishes.save()
    } catch (error) {
      // Unless somebody asked for the same account meanwhile and its worker runs: then it stays, and the next save has it.
      if (registry.get(record.accountId)?.child.state.name === 'absent') registry.delete(record.accountId)
      throw error
    }
    log.info({ event: 'account.added', accountId: record.accountId }, 'Account')
    if (this.#mayStart(record.accountId)) this.#workers.dispatch(record.accountId, { type: 'start' })
  }

  /**
   * Renames an account, and says whose it is where that was not known. Resolves when it is on the disk.
   * @throws AppError storage_unavailable, here and below: nothing was changed
   */
  async identify(accountId: string, { name, phone }: { name?: string; phone?: string }): Promise<void> {
    const { record } = this.#account(accountId)
    const learnt = record.phone === null && phone !== undefined ? { phone } : {}
    await this.#wishes.change(accountId, { name: name ?? record.name, ...learnt })
    const state = this.#options.registry.get(accountId)?.child.state.name
    // A process learns its phone at its start: whom a pairing code is for, and whose scan is none of its own.
    if ('phone' in learnt && (state === 'starting' || state === 'running')) {
      this.#workers.dispatch(accountId, { type: 'stop', again: true })
    }
  }

  /** Stops the account until it is resumed, over restarts of the service as well. Resolves when the wish is on the disk. */
  async pause(accountId: string): Promise<void> {
    this.assertRunning()
    this.#account(accountId)
    // Also where memory says so already: that may be another request's, whose save fails yet.
    await this.#wishes.change(accountId, { desired: 'paused' })
    this.#workers.dispatch(accountId, { type: 'stop' })
  }

  /** Ends a pause. */
  async resume(accountId: string): Promise<void> {
    this.assertRunning()
    this.#sessions.assertIdle(accountId)
    this.#account(accountId)
    try {
      await this.#wishes.change(accountId, { desired: 'running' })
    } catch (error) {
      // Somebody may have started it while memory said that it shall run.
      if (this.#options.registry.get(accountId)?.record.desired === 'paused')
        this.#workers.dispatch(accountId, { type: 'stop' })
      throw error
    }
    this.#startIfWanted(accountId)
  }

  /**
   * Unlinks the account at WhatsApp; its session is set aside, and it waits for a new pairing.
   * @throws AppError not_connected: WhatsApp could not be told
   */
  async logOut(accountId: string): Promise<void> {
    this.assertRunning()
    const account = this.#account(accountId)
    const { registry } = this.#options
    const refusal = (): AppError =>
      new AppError(
        'not_connected',
        `Account "${accountId}" is not connected, so WhatsApp can't be told. Unlink it at the phone (Linked devices), or remove it here.`,
      )
    if (registry.statusOf(account).status !== 'connected') throw refusal()
    this.#workers.send(accountId, { type: 'log_out' })
    const isOver = (now: Account): boolean => registry.statusOf(now).status !== 'connected'
    const after = await registry.waitFor(accountId, isOver, LOG_OUT_WAIT_MS)
    // The connection may have ended by itself in this very moment.
    if (after === undefined || registry.statusOf(after).reason !== 'logged_out') throw refusal()
  }

  /** A pairing code of an account that offers a QR code; null where there is none. A secret: for the one who asked alone. */
  pairingCode(accountId: string): Promise<string | null> {
    return this.#workers.pairingCode(accountId)
  }

  /** The account's session as it is now. A secret. Never rejects. */
  snapshot(accountId: string): ReturnType<Workers['snapshot']> {
    return this.#workers.snapshot(accountId)
  }

  /**
   * Asks for a QR code. Does nothing where the account is linked, or where one is on the screen; a backup that is waited
   * for is waited for no more.
   * @throws AppError account_paused
   */
  pair(accountId: string): void {
    this.#assertActive(accountId)
    if (this.#awaiting.delete(accountId)) this.#change(accountId, () => ({ fault: null }))
    this.#change(accountId, () => ({ pairingAskedAtMs: this.#options.clock.nowMs() }))
    this.#workers.send(accountId, { type: 'pair' })
    this.#workers.dispatch(accountId, { type: 'start' })
    this.#workers.hasten(accountId)
  }

  /**
   * A new process for the account; the old one flushes first. The others notice nothing.
   * @throws AppError connects_paused: it is connected, and would not be again
   */
  restart(accountId: string): void {
    const account = this.#assertActive(accountId)
    if (this.connectsPaused && this.#options.registry.statusOf(account).status === 'connected') {
      throw new AppError(
        'connects_paused',
        `Account "${accountId}" is connected, and all connects are paused, so it would stay down: resume them first (POST /api/whatsapp/connects/resume).`,
      )
    }
    if (!this.#mayStart(accountId)) return
    this.#workers.dispatch(accountId, { type: 'stop', again: true })
    this.#workers.hasten(accountId)
  }

  /** See RestoreFleet in supervisor/backup/restores.ts, here and below. */
  adopt(record: AccountRecord): void {
    const { registry, log } = this.#options
    if (registry.get(record.accountId) !== undefined) return
    registry.put(newAccount(record, NEW_CHILD))
    log.info({ event: 'account.adopted', accountId: record.accountId }, 'An account that the backup knows')
    void this.#wishes.save().catch(() => undefined)
  }

  awaitRestore(accountId: string, reason: Reason, message: string | null): void {
    const isNew = !this.#awaiting.has(accountId)
    // Begun otherwise while the backup was asked for.
    if (isNew && this.#options.registry.get(accountId)?.child.state.name !== 'absent') return
    this.#awaiting.add(accountId)
    this.#change(accountId, () => ({ fault: { reason, message } }))
  }

  isAwaiting(accountId: string): boolean {
    const account = this.#options.registry.get(accountId)
    return account !== undefined && account.record.desired !== 'removed' && this.#awaiting.has(accountId)
  }

  restored(accountId: string): void {
    if (!this.#awaiting.delete(accountId)) return
    this.#change(accountId, () => ({ fault: null }))
    this.#startIfWanted(accountId)
  }

  /**
   * A new process for every account, one after another. Asked twice, it is done once.
   * @throws AppError connects_paused
   */
  restartAll(): RestartProgress {
    this.assertRunning()
    if (this.connectsPaused) {
      throw new AppError(
        'connects_paused',
        'All connects are paused, so whatever is restarted would stay down: resume them first (POST /api/whatsapp/connects/resume).',
      )
    }
    return this.#rolling.begin()
  }

  /**
   * Lets no account open a connection until `resumeConnects`, over restarts of the service as well; what is connected
   * stays so. Both resolve when it is on the disk.
   */
  async pauseConnects(): Promise<void> {
    this.assertRunning()
    await this.#hold.pause()
  }

  async resumeConnects(): Promise<void> {
    this.assertRunning()
    await this.#hold.resume()
  }

  /** Asked twice, it is done once; see AccountRemovals. */
  async remove(accountId: string, purge: boolean): Promise<void> {
    if (!this.#removals.isUnderWay(accountId)) {
      this.assertRunning()
      this.#sessions.assertIdle(accountId)
    }
    await this.#removals.remove(accountId, purge)
  }

  /** Whether this session is being put back to the account, or was begun to be. */
  wasPutBack(accountId: string, session: string): boolean {
    return this.#sessions.wasPutBack(accountId, session)
  }

  /** Any session, or this one. */
  isPuttingBack(accountId: string, session?: string): boolean {
    return this.#sessions.isPuttingBack(accountId, session)
  }

  /**
   * Stops the account, makes `session` its session, sets the present one aside, and starts it again unless it is paused.
   * An account that is not known is made of `record`. Asked twice, it is done once.
   * @throws AppError session_in_use, set_aside_not_found, storage_unavailable, account_removing, shutting_down
   */
  async putBack(record: AccountRecord, session: string): Promise<void> {
    this.assertRunning()
    if (this.#options.registry.get(record.accountId) !== undefined) this.#account(record.accountId)
    try {
      await this.#sessions.putBack(record, session)
      // Its place is taken: no backup is waited for.
      this.#awaiting.delete(record.accountId)
    } finally {
      this.#startIfWanted(record.accountId)
    }
  }

  /** Recovers the damaged session of an account; see SessionCommands. */
  recover(accountId: string, from: RecoverFrom): Promise<Recovery | null> {
    this.#assertActive(accountId)
    return this.#sessions.recover(accountId, from)
  }

  /** At boot: removals that a crash cut short go on. */
  resumeRemovals(records: readonly AccountRecord[]): void {
    this.#removals.resume(records)
  }

  /**
   * Every worker flushes and ends, in parallel.
   * @returns the accounts whose worker had to be killed, or ended without saying that it had flushed
   */
  stop(): Promise<string[]> {
    this.#rolling.stop()
    return this.#workers.stop()
  }

  /** A second signal: no more patience. */
  killAll(): void {
    this.#workers.killAll()
  }

  /** @throws AppError shutting_down */
  assertRunning(): void {
    if (this.#workers.isStopping)
      throw new AppError('shutting_down', 'The service is stopping. Try again when it is up.')
  }

  #account(accountId: string): Account {
    const account = this.#options.registry.get(accountId)
    if (account === undefined) throw new AppError('account_not_found', `There is no account "${accountId}".`)
    // A removal whose wish is still on its way to the disk counts: a later wish would take its place.
    if (account.record.desired === 'removed' || this.#removals.isUnderWay(accountId)) {
      throw new AppError('account_removing', `Account "${accountId}" is being removed.`)
    }
    return account
  }

  #assertActive(accountId: string): Account {
    this.assertRunning()
    const account = this.#account(accountId)
    if (account.record.desired === 'paused') {
      throw new AppError('account_paused', `Account "${accountId}" is paused: resume it first.`)
    }
    this.#sessions.assertIdle(accountId)
    return account
  }

  /**
   * An account whose session is on its way (a put-back, a backup) has an empty place, which a worker takes for a new
   * account: whoever brings the session starts it. To be asked after each await.
   */
  #mayStart(accountId: string): boolean {
    return !this.#awaiting.has(accountId) && !this.#sessions.isPuttingBack(accountId)
  }

  #startIfWanted(accountId: string): void {
    if (this.#options.registry.get(accountId)?.record.desired !== 'running' || !this.#mayStart(accountId)) return
    this.#workers.dispatch(accountId, { type: 'start' })
  }

  #change(accountId: string, change: (account: Account) => Partial<Account>): void {
    const account = this.#options.registry.get(accountId)
    if (account !== undefined) this.#options.registry.put({ ...account, ...change(account) })
  }
}
