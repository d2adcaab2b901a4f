import type { Static } from 'typebox'
import type { Clock } from '../../shared/clock.ts'
import type { Registry } from '../accounts/registry.ts'
import type { BackupsView } from '../backup/backup-view.ts'
import type { BootProgress } from '../core/boot-progress.ts'
import { countsOf, type Action } from '../core/bulk-action.ts'
import type { BulkActions } from '../fleet/bulk-actions.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { RestartProgress } from '../fleet/rolling-restart.ts'
import type { BulkAction, Dashboard, FleetState, Role } from '../http/schemas/dashboard.ts'
import type { StorageMonitor } from '../storage/probe.ts'
import { accountView } from './account-view.ts'
import { iso } from './iso.ts'

/** Where the pictures of the service come from; nothing of it is changed by looking. */
export interface ViewDeps {
  registry: Registry
  fleet: Pick<Fleet, 'trouble' | 'connectsPaused' | 'restarting'>
  actions: Pick<BulkActions, 'running'>
  storage: Pick<StorageMonitor, 'state'>
  /** Null: none are kept. */
  backups: BackupsView | null
  clock: Clock
  sessionsPath: string
  maxAccounts: number
  service: {
    version: string
    startedMonotonicMs: number
    status: () => 'starting' | 'running' | 'stopping'
    /** Null where no boot is under way. */
    boot: () => BootProgress | null
  }
}

export type DashboardView = Static<typeof Dashboard>
export type FleetView = Static<typeof FleetState>

/** Everything that a page or a monitor wants to know, but for QR codes. */
export function dashboardView(role: Static<typeof Role>, deps: ViewDeps): DashboardView {
  const { registry, clock, service } = deps
  return {
    timestamp: iso(clock.nowMs()),
    role,
    ...fleetView(deps),
    boot: service.boot(),
    accounts: registry.all().map((account) => accountView(account, deps)),
  }
}

/** What is said of all accounts together. */
export function fleetView(deps: ViewDeps): FleetView {
  const { registry, fleet, actions, clock, service, storage, backups, sessionsPath, maxAccounts } = deps
  const uptime = Math.floor((clock.monotonicMs() - service.startedMonotonicMs) / 1000)
  const { state, oldestUnsavedMs } = backups?.health ?? { state: 'disabled' as const, oldestUnsavedMs: null }
  return {
    service: { status: service.status(), uptime, version: service.version },
    storage: { path: sessionsPath, writable: storage.state.writable, totalAccounts: registry.size },
    firestore: { state, oldestUnsavedMs: oldestUnsavedMs === null ? null : Math.round(oldestUnsavedMs) },
    trouble: describeTrouble(deps),
    connectsPaused: fleet.connectsPaused,
    restarting: fleet.restarting === null ? null : describeRestart(fleet.restarting),
    actions: actions.running.map(describeAction),
    summary: summaryOf(registry),
    maxAccounts,
  }
}

function summaryOf(registry: Registry): FleetView['summary'] {
  const counts = { connected: 0, connecting: 0, disconnected: 0, needs_qr: 0, paused: 0, total: registry.size }
  for (const account of registry.all()) {
    counts[registry.statusOf(account).status]++
    if (account.record.desired === 'paused') counts.paused++
  }
  return counts
}

function describeTrouble({ fleet }: ViewDeps): FleetView['trouble'] {
  const { trouble } = fleet
  if (trouble === null) return null
  const { kind, sinceMs, accounts, message, nextProbeAtMs } = trouble
  return { kind, since: iso(sinceMs), accounts, message, nextProbeAt: iso(nextProbeAtMs) }
}

export function describeAction(action: Action): Static<typeof BulkAction> {
  const { id, action: name, total, startedAtMs } = action
  return { id, action: name, total, ...countsOf(action), startedAt: iso(startedAtMs) }
}

/** Of a restart of all accounts. */
export function describeRestart({ startedAtMs, done, total }: RestartProgress): {
  startedAt: string
  done: number
  total: number
} {
  return { startedAt: iso(startedAtMs), done, total }
}
