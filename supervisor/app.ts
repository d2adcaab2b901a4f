import type { FastifyInstance } from 'fastify'
import type { Clock } from '../shared/clock.ts'
import { AppError, messageOf } from '../shared/errors.ts'
import type { LogTarget } from '../shared/ipc.ts'
import type { Log } from '../shared/log.ts'
import type { SessionLock } from '../shared/session/session-lock.ts'
import { loadAccounts } from './accounts/load-accounts.ts'
import { finishPutBacks } from './accounts/put-back.ts'
import { schedulePrunes } from './accounts/prune-sessions.ts'
import { Registry } from './accounts/registry.ts'
import { AccountStore, type AccountRecord } from './accounts/store.ts'
import type { Backups } from './backup/backups.ts'
import { createBackups, loadRemovals, openPlace, type BackupPlace } from './backup/create-backups.ts'
import { restoreSession, type RestoreOptions } from './backup/restore.ts'
import type { Removals } from './backup/removals.ts'
import { Restores } from './backup/restores.ts'
import type { Config, Environment } from './config.ts'
import { isLoopback, MIN_TOKEN_LENGTH } from './config-access.ts'
import { BOOT_BUDGET, planBoot } from './core/boot-plan.ts'
import type { ServiceState } from './core/service-state.ts'
import { LogBook } from './feed/log-book.ts'
import { watchBoot, type BootWatch } from './fleet/boot-watch.ts'
import { workerEnvironment } from './fleet/child-process.ts'
import { createFleet } from './fleet/create-fleet.ts'
import type { Fleet } from './fleet/fleet.ts'
import { WorkerProgram } from './fleet/worker-program.ts'
import { createFront, type Front } from './front.ts'
import { listen } from './http/listen.ts'
import { QrRenderer } from './qr/qr-renderer.ts'
import { packageVersion } from './package-version.ts'
import { adminToken, prepareSessionsPath } from './storage/prepare.ts'
import { StorageMonitor } from './storage/probe.ts'
import { lockSessions } from './storage/sessions-lock.ts'
import type { OpenOutput } from './systemd/journal-streams.ts'
import { PRODUCTION, type Tuning } from './tuning.ts'

/** Builds the supervisor from its parts. `main.ts` and tests construct it alike; nothing happens before `start()`. */
export interface AppOptions {
  config: Config
  /** Only to hand the harmless part of it on to workers. */
  environment: Environment
  clock: Clock
  log: Log
  random: () => number
  /** Where the log of workers goes, and what they print; without it JSON to this process's own output. */
  workerLog?: { target: LogTarget; openOutput: OpenOutput }
  /** For tests that can't wait for the times of production. */
  tuning?: Partial<Tuning>
  /** In place of what the configuration names. */
  backupPlace?: BackupPlace
  /** Where lines of the supervisor's own log are booked as well. */
  logBook?: LogBook
}

/** While sessions wait for a backup that can't be had. */
const RESTORE_RETRY_MS = 60_000

/** Of SHUTDOWN_TIMEOUT_MS: the rest is for letting go of the accounts and the connections. */
const SAVED_BY = 0.85

export interface StartedApp {
  /** Where the dashboard is. */
  url: string
  /** A code that opens the dashboard once, without the token. */
  loginCode: string
  /** Where the token was written, when this start made it. */
  tokenMadeAt: string | undefined
}

export class App {
  readonly #options: AppOptions
  readonly #tuning: Tuning
  readonly registry: Registry
  #status: 'starting' | 'running' | 'stopping' = 'starting'
  #fleet: Fleet | undefined
  #http: FastifyInstance | undefined
  #storage: StorageMonitor | undefined
  #lock: SessionLock | undefined
  #qr: QrRenderer | undefined
  #place: BackupPlace | undefined
  #backups: Backups | undefined
  #restores: Restores | undefined
  #bootWatch: BootWatch | undefined
  #bootSeconds: number | null = null
  #front: Front | undefined
  readonly #logs: LogBook
  #endPrunes: (() => void) | undefined
  #stopped: Promise<string[]> | undefined

  constructor(options: AppOptions) {
    this.#options = options
    this.#logs = options.logBook ?? new LogBook()
    this.#tuning = { ...PRODUCTION, ...options.tuning }
    this.registry = new Registry(options.clock)
  }

  /**
   * Takes the sessions' directory, listens, and begins the boot; resolves when the API answers, not when every account
   * is connected.
   * @throws AppError bad_config (the directory can not be used), unavailable (somebody else holds it, or the port), or
   * shutting_down (`stop` was called meanwhile)
   */
  async start(): Promise<StartedApp> {
    const { config, clock, log, random } = this.#options
    const { storage, unmounted } = await prepareSessionsPath(config)
    if (unmounted) {
      log.warn(
        { event: 'storage.not_mounted', path: config.volumePath },
        'HETZNER_SESSIONS_PATH IS NO MOUNT POINT: is the volume mounted? Sessions go to the disk below it',
      )
    }
    if (storage.problem !== null) log.error({ event: 'storage.full', path: config.sessionsPath }, storage.problem)
    this.#assertWanted()
    this.#lock = await lockSessions(config.sessionsPath)
    if (this.#stopped !== undefined) await this.#lock.release()
    this.#assertWanted()
    if (config.sessionsPathFrom === 'default') {
      log.warn(
        { event: 'storage.not_on_volume', path: config.sessionsPath },
        'SESSIONS ARE NOT ON A VOLUME: they are lost with this machine or checkout. Set SESSIONS_PATH or HETZNER_SESSIONS_PATH',
      )
    }
    const token = await adminToken(config)
    if (token.value.length < MIN_TOKEN_LENGTH) {
      if (!isLoopback(config.host) || config.trustedProxies.length > 0) {
        throw new AppError(
          'bad_config',
          `The token in ${config.sessionsPath}/admin-token has ${token.value.length} characters, too few where others can ` +
            'reach the service: delete the file to have one made, or set ADMIN_TOKEN.',
        )
      }
      log.warn(
        { event: 'token.weak', length: token.value.length },
        'ADMIN_TOKEN can be guessed: use `openssl rand -hex 32`',
      )
    }
    this.#storage = new StorageMonitor(config.sessionsPath, storage, clock, log)
    this.#storage.start()
    this.#qr = new QrRenderer({ clock })
    const version = await packageVersion()
    const removals = await loadRemovals(config.sessionsPath, log)
    this.#backups = await this.#createBackups(version, removals)
    const store = new AccountStore(config.sessionsPath, () => this.registry.all().map(({ record }) => record))
    const program = await this.#createProgram()
    this.#assertWanted()
    const fleet = createFleet({
      config,
      tuning: this.#tuning,
      registry: this.registry,
      store,
      program,
      backups: this.#backups,
      removals,
      fetchBackup: this.#place === undefined ? null : (accountId) => this.#fetchBackup(accountId),
      logs: this.#logs,
      logTarget: this.#options.workerLog?.target,
      clock,
      log,
      random,
    })
    this.#fleet = fleet
    // Before anybody looks for sessions: where one is on its way, its place is empty.
    fleet.holdPutBacks(await finishPutBacks(config.sessionsPath, clock.nowMs(), log))
    const { kept, found } = await loadAccounts(store, config.sessionsPath, clock, log)
    const restores = this.#createRestores(fleet, kept)
    this.#restores = restores
    const listed = (await restores?.list()) ?? []
    // Of a session without a record the backup may know whose it is; else its own creds have to do.
    const nameless = found.filter(({ accountId }) => !listed.some((record) => record.accountId === accountId))
    const records = [...kept, ...nameless, ...listed]
    await fleet.load(records)
    // On the disk as well: what the backup knew is known without it from here on.
    if (listed.length > 0) await store.save().catch(() => undefined)
    // Where a put-back is stuck the place is empty as well, and another session is to come there.
    const wanted = records
      .filter(({ accountId, desired }) => desired !== 'removed' && !fleet.isPuttingBack(accountId))
      .map(({ accountId }) => accountId)
    const missing = new Set(await restores?.missing(wanted))
    // Before the API answers: who asks for one of these would start it in an empty place, as a new identity.
    restores?.hold([...missing])
    this.#assertWanted()

    const front = await createFront({
      config,
      adminToken: token.value,
      version,
      registry: this.registry,
      fleet,
      qr: this.#qr,
      storage: this.#storage,
      backups: this.#backups ?? null,
      logs: this.#logs,
      clock,
      log,
      random,
      status: () => this.#status,
      boot: () => this.#bootWatch?.progress() ?? null,
      bootSeconds: () => this.#bootSeconds,
    })
    this.#front = front
    const { http, auth } = front
    this.#http = http
    this.#assertWanted()
    await listen(http, config)
    const address = http.server.address()
    const port = typeof address === 'object' && address !== null ? address.port : config.port
    log.info({ event: 'http.listening', host: config.host, port }, 'HTTP')
    this.#backups?.start((accountId) => fleet.snapshot(accountId))
    this.#assertWanted()
    this.#boot(
      fleet,
      records.filter(({ accountId }) => !missing.has(accountId)),
    )
    restores?.again()
    await front.start()
    this.#assertWanted()
    const { sessionsPath, setAsideDays: keepDays } = config
    this.#endPrunes = schedulePrunes({ sessionsPath, keepDays, clock, log })
    this.#status = 'running'
    const host = config.host.includes(':') ? `[${config.host}]` : config.host
    return { url: `http://${host}:${port}`, loginCode: auth.issueLoginCode(), tokenMadeAt: token.madeAt }
  }

  /**
   * Ends everything: no new requests, every worker flushes. Safe to call twice.
   * @returns the accounts that did not flush
   */
  stop(): Promise<string[]> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** As systemd is told. */
  get state(): ServiceState {
    const { registry } = this
    const counts = { connected: 0, connecting: 0, disconnected: 0, needs_qr: 0 }
    for (const account of registry.all()) counts[registry.statusOf(account).status]++
    return {
      phase: this.#status,
      counts,
      trouble: this.#fleet?.trouble?.message ?? null,
      storageProblem: this.#storage?.state.problem ?? null,
      storageAnsweredMs: this.#storage?.answeredMs ?? this.#options.clock.monotonicMs(),
    }
  }

  /** Undefined where none are kept. */
  get backups(): Backups | undefined {
    return this.#backups
  }

  /** A second signal: workers are killed at once, and `stop` ends soon after. */
  killAll(): void {
    this.#fleet?.killAll()
    this.#backups?.giveUp()
  }

  async #stop(): Promise<string[]> {
    const { config, clock, log } = this.#options
    const savedByMs = clock.monotonicMs() + config.shutdownTimeoutMs * SAVED_BY
    this.#status = 'stopping'
    this.#bootWatch?.end()
    this.#endPrunes?.()
    this.#restores?.stop()
    this.#storage?.stop()
    const told = this.#front?.stop()
    const closed = this.#http?.close().catch((error: unknown) => {
      log.warn({ event: 'http.close_failed', cause: messageOf(error) }, 'HTTP')
    })
    // What each worker leaves is saved while the others still flush.
    this.#backups?.beginStop()
    const notFlushed = (await this.#fleet?.stop()) ?? []
    await this.#backups?.finish(savedByMs)
    await this.#place?.stop()
    await Promise.all([told, closed])
    await this.#qr?.stop()
    await this.#lock?.release()
    return notFlushed
  }

  /** After each wait of a start: one that is to stop goes no further. What stands already is stopped by `stop`. */
  #assertWanted(): void {
    if (this.#stopped !== undefined)
      throw new AppError('shutting_down', 'The service was told to stop while it started.')
  }

  async #createBackups(version: string, removals: Removals): Promise<Backups | undefined> {
    const { config, backupPlace, clock, log, random } = this.#options
    const place = backupPlace ?? (config.backup === null ? undefined : await openPlace(config.backup, clock, log))
    if (place === undefined) return undefined
    this.#place = place
    const { sessionsPath } = config
    const tuning = this.#tuning.backup
    const { registry } = this
    return createBackups(place, { sessionsPath, version, removals, registry, clock, log, random, tuning })
  }

  /** Undefined where no backups are kept. */
  #createRestores(fleet: Fleet, kept: readonly AccountRecord[]): Restores | undefined {
    const { clock } = this.#options
    const { restoreRetryMs: retryMs = RESTORE_RETRY_MS } = this.#tuning.backup
    const [from, backups] = [this.#restoreFrom(), this.#backups]
    if (from === undefined || backups === undefined) return undefined
    const isRemoved = (accountId: string): boolean => backups.isRemoved(accountId)
    const finishRemoval = (accountId: string): Promise<void> => backups.noteRemoval(accountId)
    const known = kept.map(({ accountId }) => accountId)
    return new Restores({ ...from, fleet, clock, isRemoved, finishRemoval, retryMs }, known)
  }

  #restoreFrom(): RestoreOptions | undefined {
    const { config, log } = this.#options
    const [place, backups] = [this.#place, this.#backups]
    if (place === undefined || backups === undefined) return undefined
    const { sessionsPath } = config
    const claim = (accountId: string): Promise<void> => backups.claimForRestore(accountId)
    return { target: place.target, openArchive: place.open, claim, sessionsPath, log }
  }

  /** Beside the damaged session of an account: the operator wants it in its place. */
  async #fetchBackup(accountId: string): Promise<void> {
    const from = this.#restoreFrom()
    if (from === undefined) return
    // As whoever recovers it asks once more, when the backup is there.
    const stillWanted = (): boolean => this.registry.get(accountId)?.child.state.name === 'given_up'
    const { outcome } = await restoreSession(accountId, from, { overDamaged: true, stillWanted })
    if (outcome === 'nothing') throw new Error('none was ever made of this account.')
  }

  async #createProgram(): Promise<WorkerProgram> {
    const { config, environment, clock, log, workerLog } = this.#options
    const { sessionsPath, workerBundle: bundle } = config
    const { workerEntry } = this.#tuning
    const openOutput = workerLog?.openOutput
    const env = workerEnvironment(environment)
    const program = new WorkerProgram({ bundle, env, sessionsPath, clock, log, entry: workerEntry, openOutput })
    await program.prepare()
    return program
  }

  #boot(fleet: Fleet, records: readonly AccountRecord[]): void {
    const { config, clock, log, random } = this.#options
    // Paused accounts are known and stay down.
    const wanted = records.filter(({ desired }) => desired === 'running')
    const pace = { minMs: config.spawnStaggerMinMs, maxMs: config.spawnStaggerMaxMs, ...BOOT_BUDGET }
    const offsets = planBoot(wanted.length, pace, random)
    fleet.boot(wanted, offsets)
    fleet.resumeRemovals(records.filter(({ desired }) => desired === 'removed'))
    log.info(
      { event: 'boot.started', accounts: wanted.length, lastStartInMs: offsets.at(-1) ?? 0 },
      'Boot sequence started',
    )
    this.#bootWatch = watchBoot(
      this.registry,
      wanted,
      clock,
      offsets.at(-1) ?? 0,
      ({ connected, total, elapsedMs }) => {
        this.#bootSeconds = elapsedMs / 1000
        log.info(
          { event: 'boot.completed', connected, total, elapsedMs },
          `Boot sequence complete: ${connected}/${total} accounts connected`,
        )
      },
    )
  }
}
