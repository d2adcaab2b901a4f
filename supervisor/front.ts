import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../shared/clock.ts'
import type { Log } from '../shared/log.ts'
import { AccessTokens } from './access/access-tokens.ts'
import { Logins } from './access/logins.ts'
import type { Registry } from './accounts/registry.ts'
import type { BackupsView } from './backup/backup-view.ts'
import type { Config } from './config.ts'
import type { BootProgress } from './core/boot-progress.ts'
import { Feed } from './feed/feed.ts'
import type { LogBook } from './feed/log-book.ts'
import { BulkActions } from './fleet/bulk-actions.ts'
import type { Fleet } from './fleet/fleet.ts'
import { History } from './history/history.ts'
import { Auth } from './http/auth.ts'
import { EventStreams } from './http/event-streams.ts'
import { buildServer } from './http/server.ts'
import { createMetrics } from './metrics/metrics.ts'
import type { QrRenderer } from './qr/qr-renderer.ts'
import type { StorageMonitor } from './storage/probe.ts'
import type { ViewDeps } from './views/fleet-view.ts'

/** What people and programs see of the service, over the fleet that does the work: API, events, history, metrics. */
export interface FrontOptions {
  config: Pick<
    Config,
    | 'sessionsPath'
    | 'maxAccounts'
    | 'accountEnv'
    | 'viewerToken'
    | 'trustedProxies'
    | 'spawnStaggerMinMs'
    | 'spawnStaggerMaxMs'
  >
  adminToken: string
  version: string
  registry: Registry
  fleet: Fleet
  qr: QrRenderer
  storage: StorageMonitor
  /** Null: none are kept. */
  backups: BackupsView | null
  logs: LogBook
  clock: Clock
  log: Log
  random: () => number
  status: () => 'starting' | 'running' | 'stopping'
  /** Null where no boot is under way. */
  boot: () => BootProgress | null
  /** How long the boot took; null while it goes on. */
  bootSeconds: () => number | null
}

export interface Front {
  /** Built, not listening. */
  http: FastifyInstance
  auth: Auth
  feed: Feed
  history: History
  streams: EventStreams
  /** From the moment at which the accounts are started. */
  start(): Promise<void>
  /** Before the accounts go down: that they do is nobody's outage. The server is closed by whoever made it listen. */
  stop(): Promise<void>
}

export async function createFront(options: FrontOptions): Promise<Front> {
  const { config, registry, fleet, qr, logs, clock, log, random } = options
  const { sessionsPath, maxAccounts, accountEnv, trustedProxies } = config
  const tokens = new AccessTokens(sessionsPath)
  const problem = await tokens.load()
  if (problem !== null) log.error({ event: 'access.tokens_damaged' }, problem)
  const secrets = [options.adminToken, config.viewerToken]
  const logins = new Logins({ sessionsPath, secrets, clock, log })
  await logins.load()
  const auth = new Auth({
    adminToken: options.adminToken,
    viewerToken: config.viewerToken,
    tokens,
    logins,
    nowMs: () => clock.nowMs(),
  })
  const stagger = { minMs: config.spawnStaggerMinMs, maxMs: config.spawnStaggerMaxMs }
  const actions = new BulkActions({ fleet, clock, log, random, stagger })
  const views: ViewDeps = {
    registry,
    fleet,
    actions,
    storage: options.storage,
    backups: options.backups,
    clock,
    sessionsPath,
    maxAccounts,
    service: {
      version: options.version,
      startedMonotonicMs: clock.monotonicMs(),
      status: options.status,
      boot: options.boot,
    },
  }
  const feed = new Feed({ views, qr, clock, log, boot: randomBytes(6).toString('hex') })
  const history = new History({ sessionsPath, registry, clock, log })
  const streams = new EventStreams({ feed, logs, auth, clock })
  const metrics = createMetrics({
    views,
    connects: () => fleet.connects,
    bootSeconds: options.bootSeconds,
    streams,
    history,
    logs,
  })
  const unsubscribe = registry.subscribe((accountId) => {
    if (registry.get(accountId) === undefined) logs.forget(accountId)
  })
  feed.start()
  const http = await buildServer({
    registry,
    fleet,
    views,
    actions,
    auth,
    tokens,
    streams,
    history,
    metrics,
    logs,
    qr,
    clock,
    log,
    sessionsPath,
    trustedProxies,
    maxAccounts,
    accountEnv,
    dashboardPath: fileURLToPath(new URL('../../supervisor/dashboard', import.meta.url)),
  })
  return {
    http,
    auth,
    feed,
    history,
    streams,
    start: () => history.start(),
    async stop() {
      actions.stop()
      // The last word: that the service stops.
      feed.flush()
      feed.stop()
      streams.endAll()
      unsubscribe()
      await history.stop()
    },
  }
}
