import { collectDefaultMetrics, Counter, Gauge, Registry as PromRegistry } from 'prom-client'
import type { Fleet } from '../fleet/fleet.ts'
import type { LogBook } from '../feed/log-book.ts'
import { recentRestarts } from '../core/recent-restarts.ts'
import type { History } from '../history/history.ts'
import type { ViewDeps } from '../views/fleet-view.ts'
import { fleetView } from '../views/fleet-view.ts'

/**
 * The service in Prometheus' words. Nothing is counted here: each scrape reads what the supervisor knows anyway. The label
 * `account` is the account's id; its name is in `whatsapp_account_info` alone, so that a new name starts no new series.
 */
export interface MetricsDeps {
  views: ViewDeps
  connects: () => Fleet['connects']
  /** How long the boot took, seconds; null while it goes on. */
  bootSeconds: () => number | null
  streams: { readonly size: number; readonly dropped: number }
  history: Pick<History, 'damaged' | 'dropped'>
  logs: Pick<LogBook, 'dropped'>
}

const STATUSES = ['connected', 'connecting', 'disconnected', 'needs_qr'] as const
/**
 * How often the delay of the event loop is sampled. At prom-client's own 10 ms the sampling was two thirds of what a
 * supervisor of 30 idle accounts cost. A delay is told with the pause between two samples in it.
 */
const LOOP_DELAY_PRECISION_MS = 100
type Sample = [labels: Record<string, string>, value: number | null]

export function createMetrics(deps: MetricsDeps): PromRegistry {
  const registry = new PromRegistry()
  const gauge = (name: string, help: string, labelNames: string[], read: () => Sample[]): void => {
    new Gauge({
      name: `whatsapp_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset()
        for (const [labels, value] of read()) if (value !== null) this.set(labels, value)
      },
    })
  }
  const counter = (name: string, help: string, labelNames: string[], read: () => Sample[]): void => {
    new Counter({
      name: `whatsapp_${name}_total`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset()
        for (const [labels, value] of read()) if (value !== null) this.inc(labels, value)
      },
    })
  }
  collectDefaultMetrics({
    register: registry,
    prefix: 'whatsapp_supervisor_',
    eventLoopMonitoringPrecision: LOOP_DELAY_PRECISION_MS,
  })
  addAccountMetrics(deps, gauge, counter)
  addFleetMetrics(deps, gauge, counter)
  return registry
}

type Add = (name: string, help: string, labelNames: string[], read: () => Sample[]) => void

function addAccountMetrics({ views }: MetricsDeps, gauge: Add, counter: Add): void {
  const { registry, clock, backups } = views
  type Account = ReturnType<typeof registry.all>[number]
  const each = (read: (account: Account) => number | null) => (): Sample[] =>
    registry.all().map((account) => [{ account: account.record.accountId }, read(account)])
  const ageS = (atMs: number | null | undefined): number | null =>
    atMs === null || atMs === undefined ? null : Math.max(0, (clock.nowMs() - atMs) / 1000)
  const one = ['account']

  gauge('account_info', 'Always 1; the name of an account.', ['account', 'name'], () =>
    registry.all().map(({ record }) => [{ account: record.accountId, name: record.name }, 1]),
  )
  gauge(
    'account_up',
    'Whether the account is connected.',
    one,
    each((account) => (registry.statusOf(account).status === 'connected' ? 1 : 0)),
  )
  gauge('account_status', '1 for the status that the account has, 0 for the others.', ['account', 'status'], () =>
    registry.all().flatMap((account) => {
      const now = registry.statusOf(account).status
      return STATUSES.map((status): Sample => [{ account: account.record.accountId, status }, status === now ? 1 : 0])
    }),
  )
  gauge('account_reason', '1 for the reason of the status, where there is one.', ['account', 'reason'], () =>
    registry.all().flatMap((account): Sample[] => {
      const { reason } = registry.statusOf(account)
      return reason === null ? [] : [[{ account: account.record.accountId, reason }, 1]]
    }),
  )
  gauge(
    'account_needs_person',
    'Nothing changes before a person does something.',
    one,
    each((account) => (registry.statusOf(account).needsPerson ? 1 : 0)),
  )
  gauge(
    'account_paused',
    'Whether the operator has paused the account.',
    one,
    each(({ record }) => (record.desired === 'paused' ? 1 : 0)),
  )
  counter(
    'account_reconnects',
    'Connections that were opened again.',
    one,
    each((account) => account.reconnectCount),
  )
  gauge(
    'account_last_frame_age_seconds',
    'Since anything last came from WhatsApp.',
    one,
    each((account) => ageS(account.activity.lastFrameAtMs)),
  )
  counter(
    'account_messages_received',
    'Messages of others that were read.',
    one,
    each(({ counts }) => counts.messagesIn),
  )
  counter(
    'account_messages_sent',
    'Messages of this device that WhatsApp acknowledged.',
    one,
    each(({ counts }) => counts.messagesOut),
  )
  counter(
    'account_decrypt_failures',
    'Ciphertexts that could not be read; most come again.',
    one,
    each(({ counts }) => counts.decryptFailures),
  )
  gauge(
    'account_memory_bytes',
    "Resident memory of the account's process.",
    one,
    each(({ process }) => process?.rssBytes ?? null),
  )
  counter(
    'account_cpu_seconds',
    "CPU that the account's processes have used.",
    one,
    each(({ process, cpuBeforeMs }) => (cpuBeforeMs + (process?.cpu?.usedMs ?? 0)) / 1000),
  )
  gauge(
    'account_event_loop_delay_seconds',
    'How late the last heartbeat of the process was.',
    one,
    each(({ process }) => ((process?.loopDelayMs ?? null) === null ? null : (process?.loopDelayMs ?? 0) / 1000)),
  )
  counter(
    'account_crashes',
    'Processes of the account that ended unasked.',
    one,
    each((account) => account.crashCount),
  )
  gauge(
    'account_restarts_24h',
    "Processes within a day that took an earlier one's place.",
    one,
    each(({ restartsAtMs }) => recentRestarts(restartsAtMs, clock.nowMs()).length),
  )
  gauge(
    'account_backup_age_seconds',
    'Since the last backup; absent where there is none.',
    one,
    each(({ record }) => ageS(backups?.viewOf(record.accountId)?.savedAtMs)),
  )
  gauge(
    'account_backup_pending',
    'Something has changed since the last backup.',
    one,
    each(({ record }) => {
      const view = backups?.viewOf(record.accountId) ?? null
      return view === null ? null : view.pending ? 1 : 0
    }),
  )
}

function addFleetMetrics(deps: MetricsDeps, gauge: Add, counter: Add): void {
  const { views, connects, bootSeconds, streams, history, logs } = deps
  const fleet = (read: (view: ReturnType<typeof fleetView>) => number | null) => (): Sample[] => [
    [{}, read(fleetView(views))],
  ]
  gauge('info', 'Always 1; the version of the service.', ['version'], () => [[{ version: views.service.version }, 1]])
  gauge('fleet_accounts', 'Accounts by status.', ['status'], () => {
    const { summary } = fleetView(views)
    return STATUSES.map((status): Sample => [{ status }, summary[status]])
  })
  gauge(
    'fleet_accounts_limit',
    'MAX_ACCOUNTS.',
    [],
    fleet(({ maxAccounts }) => maxAccounts),
  )
  gauge(
    'fleet_connects_paused',
    'Whether the operator lets nobody connect.',
    [],
    fleet(({ connectsPaused }) => (connectsPaused ? 1 : 0)),
  )
  gauge('fleet_trouble', '1 for what is wrong with the whole fleet; absent while nothing is.', ['kind'], () => {
    const { trouble } = fleetView(views)
    return trouble === null ? [] : [[{ kind: trouble.kind }, 1]]
  })
  gauge('fleet_permits_waiting', 'Accounts that wait for the connect gate.', [], () => [[{}, connects().waiting]])
  gauge('fleet_permits_under_way', 'Connections that are being opened.', [], () => [[{}, connects().underWay]])
  counter('fleet_connect_attempts', 'Permits that were given to open a connection.', [], () => [
    [{}, connects().attempts.granted],
  ])
  counter('fleet_connect_results', 'What came of permits.', ['result'], () =>
    (['opened', 'answered', 'failed', 'unused'] as const).map((result) => [{ result }, connects().attempts[result]]),
  )
  gauge('fleet_boot_seconds', 'How long the last boot took; absent while it goes on.', [], () => [[{}, bootSeconds()]])
  gauge(
    'storage_writable',
    'Whether the disk takes writes.',
    [],
    fleet(({ storage }) => (storage.writable ? 1 : 0)),
  )
  gauge('backups_ok', 'Whether backups can be made; absent where none are kept.', [], () => {
    const { state } = fleetView(views).firestore
    return state === 'disabled' ? [] : [[{}, state === 'ok' ? 1 : 0]]
  })
  gauge(
    'backups_oldest_unsaved_seconds',
    'Age of the oldest change that no backup has; absent where there is none.',
    [],
    fleet(({ firestore }) => (firestore.oldestUnsavedMs === null ? null : firestore.oldestUnsavedMs / 1000)),
  )
  gauge('event_streams', 'Open event streams.', [], () => [[{}, streams.size]])
  counter('event_streams_dropped', 'Event streams that were ended because nobody took what was sent.', [], () => [
    [{}, streams.dropped],
  ])
  counter('history_dropped', 'Records of the history that found no room on the disk.', [], () => [
    [{}, history.dropped],
  ])
  counter('history_damaged', 'Lines of the history that could not be read.', [], () => [[{}, history.damaged]])
  counter('log_copies_dropped', 'Log lines that did not reach the page of their account.', [], () => [
    [{}, logs.dropped],
  ])
}
