import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Static } from 'typebox'
import { maskPhone } from '../../../shared/phone.ts'
import { REASONS, type ConnectionStatus, type Reason } from '../../../shared/states.ts'
import type { Account } from '../../accounts/registry.ts'
import { ageInWords } from '../../backup/words.ts'
import type { RestartProgress } from '../../fleet/rolling-restart.ts'
import type { HttpDeps } from '../server.ts'
import { Dashboard, Health, type DashboardAccount } from '../schemas.ts'

/** `GET /api/status/dashboard`: everything a page or a monitor wants to know, in one answer. */
export function dashboardRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/api/status/dashboard', { schema: { response: { 200: Dashboard } } }, async () => {
      const { registry, fleet, clock, service, storage, sessionsPath } = deps
      const accounts = await Promise.all(registry.all().map((account) => describe(account, deps)))
      return {
        timestamp: new Date(clock.nowMs()).toISOString(),
        service: { status: service.status(), uptime: uptimeS(deps), version: service.version },
        storage: { path: sessionsPath, writable: storage.state.writable, totalAccounts: registry.size },
        trouble: describeTrouble(deps),
        connectsPaused: fleet.connectsPaused,
        restarting: fleet.restarting === null ? null : describeRestart(fleet.restarting),
        accounts,
        summary: { ...countByStatus(accounts), total: accounts.length },
      }
    })
  }
}

/** `GET /health`, without a token: is the service able to do its work? 200 or 503. */
export function healthRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/health', { schema: { response: { 200: Health, 503: Health } } }, async (_request, reply) => {
      const { registry, service, storage, backups, sessionsPath } = deps
      const backup = backups?.health
      const all = registry.all()
      const connected = all.filter((account) => registry.statusOf(account).status === 'connected').length
      const { exists, writable } = storage.state
      const state = service.status()
      const able = writable && state !== 'stopping'
      return reply.code(able ? 200 : 503).send({
        status: able ? 'ok' : 'unavailable',
        checks: {
          service: state === 'running' ? 'ok' : state,
          storage: { path: sessionsPath, exists, writable },
          firestore: backup?.state ?? 'disabled',
          oldestUnsavedMs: backup?.oldestUnsavedMs ?? null,
          accounts: { total: all.length, connected },
        },
      })
    })
  }
}

async function describe(account: Account, deps: HttpDeps): Promise<Static<typeof DashboardAccount>> {
  const { registry, clock, qr } = deps
  const nowMs = clock.nowMs()
  const { record, process, child } = account
  const { status, reason, attempt, nextTryAtMs, todo, needsPerson } = registry.statusOf(account)
  // The report comes a moment before the word that takes the code away.
  const living = reason === 'pairing' && account.qr !== null && account.qr.expiresAtMs > nowMs ? account.qr : null
  return {
    accountId: record.accountId,
    name: record.name,
    phone: record.phone === null ? null : maskPhone(record.phone),
    status,
    reason,
    detail: detailOf(account, reason),
    todo,
    needsPerson,
    notice: noticeOf(account, nowMs),
    attempt,
    nextTryAt: iso(nextTryAtMs),
    lastEventAt: iso(account.lastEventAtMs),
    lastMessageAt: iso(account.lastMessageAtMs),
    activity: {
      lastFrameAt: iso(account.activity.lastFrameAtMs),
      lastEventAt: iso(account.activity.lastEventAtMs),
      lastMessageInAt: iso(account.activity.lastMessageInAtMs),
      lastAckedOutAt: iso(account.activity.lastAckedOutAtMs),
    },
    reconnectCount: account.reconnectCount,
    needsQR: status === 'needs_qr',
    ...(living === null
      ? {}
      : { qrCode: await qr.render(living.text), qrExpiresAt: new Date(living.expiresAtMs).toISOString() }),
    backup: describeBackup(record.accountId, deps),
    process: {
      state: child.state.name,
      pid: process?.pid ?? null,
      startedAt: iso(process?.startedAtMs ?? null),
      uptime: process === null ? null : Math.max(0, Math.floor((nowMs - process.startedAtMs) / 1000)),
      rssBytes: process?.rssBytes ?? null,
      loopDelayMs: process?.loopDelayMs ?? null,
      crashCount: account.crashCount,
      generation: child.generation,
    },
  }
}

function describeBackup(accountId: string, { backups, clock }: HttpDeps): Static<typeof DashboardAccount>['backup'] {
  const view = backups?.viewOf(accountId) ?? null
  if (view === null) return null
  const { revision, savedAtMs, bytes, pending, error } = view
  const ageMs = savedAtMs === null ? null : Math.max(0, Math.round(clock.nowMs() - savedAtMs))
  return { revision, savedAt: iso(savedAtMs), ageMs, bytes, pending, error }
}

function describeTrouble({ fleet }: HttpDeps): Static<typeof Dashboard>['trouble'] {
  const { trouble } = fleet
  if (trouble === null) return null
  const { kind, sinceMs, accounts, message, nextProbeAtMs } = trouble
  return { kind, since: new Date(sinceMs).toISOString(), accounts, message, nextProbeAt: iso(nextProbeAtMs) }
}

/** The reason in words, with what is known beyond it. */
function detailOf({ fault, linkedPhone }: Account, reason: Reason | null): string | null {
  if (reason === null) return null
  if (reason === 'wrong_phone' && linkedPhone !== null) return `${REASONS[reason]} It was ${maskPhone(linkedPhone)}.`
  return fault?.message ?? REASONS[reason]
}

/** What a recovery costs shows within days; after two weeks nothing of it is left to be told. */
const NOTICE_MS = 14 * 86_400_000

function noticeOf({ recovery }: Account, nowMs: number): Static<typeof DashboardAccount>['notice'] {
  if (recovery === null || nowMs - recovery.atMs > NOTICE_MS) return null
  const at = new Date(recovery.atMs).toISOString()
  if (recovery.from === 'backup') {
    const { savedAtMs, atMs } = recovery
    const savedAt = savedAtMs === undefined ? 'unknown' : new Date(savedAtMs).toISOString()
    const age = savedAtMs === undefined ? 'of unknown age' : `${ageInWords(atMs - savedAtMs)} old`
    const message =
      `The session was restored from a backup that was ${age} (saved at ${savedAt}). ` +
      'The next messages of some contacts need a retry, which heals by itself.'
    return { code: 'session_restored', at, message }
  }
  const source = recovery.from === 'readable' ? 'its readable part' : 'its previous generation'
  const message =
    `The session was damaged and was recovered from ${source}: ${recovery.recordsKept} records kept, ` +
    `${recovery.recordsLost} lost. The next messages of some contacts need a retry, which heals by itself; ` +
    'the damaged files were set aside.'
  return { code: 'session_recovered', at, message }
}

function countByStatus(accounts: readonly { status: ConnectionStatus }[]): Record<ConnectionStatus, number> {
  const counts = { connected: 0, connecting: 0, disconnected: 0, needs_qr: 0 }
  for (const { status } of accounts) counts[status]++
  return counts
}

/** Of a restart of all accounts. */
export function describeRestart({ startedAtMs, done, total }: RestartProgress): {
  startedAt: string
  done: number
  total: number
} {
  return { startedAt: new Date(startedAtMs).toISOString(), done, total }
}

function uptimeS({ clock, service }: HttpDeps): number {
  return Math.floor((clock.monotonicMs() - service.startedMonotonicMs) / 1000)
}

function iso(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString()
}
