import { batch, computed, signal, type Signal } from '@preact/signals'
import type { Account, Boot, FleetFacts, FleetHistory, LogLine, Role, Segment } from './api-types.ts'
import type { FeedEvent } from './core/feed-events.ts'
import { FIRST_WISH, keepOrder, listAccounts, type ListWish } from './core/fleet-list.ts'
import type { LivingQr } from './core/link-state.ts'
import { extend } from './core/strip.ts'

/**
 * What the page knows, one signal per thing that changes by itself. An account has a signal of its own, so that an event
 * of one account draws one row, however many there are.
 */
const DAY_MS = 86_400_000
/** Log lines that an account's page keeps. */
const MOST_LOG_LINES = 500
/** Connected counts that are kept until the history is fetched again. */
const MOST_COUNTS = 3000

export interface AccountSignals {
  account: Signal<Account>
  qr: Signal<LivingQr | null>
  segments: Signal<readonly Segment[]>
}

/** undefined: not known yet; null: nobody is logged in. */
export const role = signal<Role | null | undefined>(undefined)
export const isAdmin = computed(() => role.value === 'admin')
export const feedState = signal<'connecting' | 'live' | 'lost'>('connecting')
/** Epoch ms of the last moment that the page can vouch for. */
export const liveAtMs = signal(0)
/** By the service's clock: times of the service are shown against it, however wrong the clock of this machine is. */
export const nowMs = signal(Date.now())
export const fleet = signal<FleetFacts | null>(null)
/** When the service was started, by its own clock; its uptime goes on by itself. */
export const startedAtMs = signal(0)
export const boot = signal<Boot | null>(null)
export const accounts = signal<ReadonlyMap<string, AccountSignals>>(new Map())
export const history = signal<Pick<FleetHistory, 'connected' | 'messages'>>({ connected: [], messages: [] })
export const logLines = signal<readonly LogLine[]>([])
export const logAccountId = signal<string | null>(null)

export const wish = signal<ListWish>(FIRST_WISH)
export const selection = signal<ReadonlySet<string>>(new Set())

export const allAccounts = computed(() => [...accounts.value.values()].map(({ account }) => account.value))
let shownOrder: readonly string[] = []
export const shownIds = computed(() => {
  shownOrder = keepOrder(shownOrder, listAccounts(allAccounts.value, wish.value))
  return shownOrder
})

let clockOffsetMs = 0

export function tick(): void {
  nowMs.value = Date.now() + clockOffsetMs
}

export function signalsOf(accountId: string): AccountSignals | undefined {
  return accounts.value.get(accountId)
}

/** Brings one event of the feed into the signals, as one change. */
export function apply(event: FeedEvent): void {
  batch(() => applyEvent(event))
}

function applyEvent(event: FeedEvent): void {
  switch (event.name) {
    case 'snapshot': {
      const { timestamp, role: who, boot: booting, accounts: all, ...facts } = event.data
      clockOffsetMs = Date.parse(timestamp) - Date.now()
      tick()
      role.value = who
      boot.value = booting
      setFacts(facts)
      const known = accounts.value
      accounts.value = new Map(
        all.map((account) => [account.accountId, renewed(known.get(account.accountId), account)]),
      )
      dropSelected((id) => !accounts.value.has(id))
      return
    }
    case 'account.status': {
      const { account } = event.data
      const known = accounts.value.get(account.accountId)
      if (known === undefined)
        accounts.value = new Map([...accounts.value, [account.accountId, renewed(undefined, account)]])
      else setAccount(known, account)
      return
    }
    case 'account.removed': {
      const { accountId } = event.data
      accounts.value = new Map([...accounts.value].filter(([id]) => id !== accountId))
      dropSelected((id) => id === accountId)
      return
    }
    case 'account.qr': {
      const { accountId, qrCode, expiresAt } = event.data
      const known = accounts.value.get(accountId)
      if (known !== undefined) known.qr.value = qrCode === null ? null : { qrCode, expiresAt }
      return
    }
    case 'account.activity':
      for (const { process, ...update } of event.data.accounts) {
        const known = accounts.value.get(update.accountId)
        if (known === undefined) continue
        const account = known.account.value
        known.account.value = { ...account, ...update, process: { ...account.process, ...process } }
      }
      return
    case 'account.log': {
      const { accountId, ...line } = event.data
      if (accountId === logAccountId.value) logLines.value = [...logLines.value, line].slice(-MOST_LOG_LINES)
      return
    }
    case 'fleet.event':
      setFacts(event.data)
      return
    case 'boot.progress':
      boot.value = event.data
      return
    default:
      event satisfies never
  }
}

function setFacts(facts: FleetFacts): void {
  const before = fleet.value?.summary.connected
  startedAtMs.value = nowMs.value - facts.service.uptime * 1000
  fleet.value = facts
  const { connected } = facts.summary
  if (before === connected || history.value.connected.length === 0) return
  const counts = [...history.value.connected, { at: new Date(nowMs.value).toISOString(), count: connected }]
  history.value = { ...history.value, connected: counts.slice(-MOST_COUNTS) }
}

function renewed(known: AccountSignals | undefined, account: Account): AccountSignals {
  if (known === undefined) return { account: signal(account), qr: signal(null), segments: signal([]) }
  // A snapshot is followed by every living QR code.
  known.qr.value = null
  setAccount(known, account)
  return known
}

function setAccount({ account: known, qr, segments }: AccountSignals, account: Account): void {
  known.value = account
  if (!account.needsQR) qr.value = null
  // Without a history the strip stays empty: a single state would look like a whole day.
  if (segments.value.length === 0) return
  const { statusSince: from, status, reason } = account
  segments.value = extend(segments.value, { from, status, reason }, nowMs.value - DAY_MS)
}

/** The last day from the service: strips and charts, which the feed then carries on. */
export function applyHistory({ accounts: strips, connected, messages }: FleetHistory): void {
  batch(() => {
    history.value = { connected, messages }
    for (const { accountId, segments } of strips) {
      const known = accounts.value.get(accountId)
      if (known !== undefined) known.segments.value = segments
    }
  })
}

/** Nothing of a login stays on the page after it ended. */
export function forget(): void {
  batch(() => {
    role.value = null
    fleet.value = null
    boot.value = null
    accounts.value = new Map()
    history.value = { connected: [], messages: [] }
    logLines.value = []
    selection.value = new Set()
  })
}

function dropSelected(isGone: (id: string) => boolean): void {
  if (![...selection.value].some(isGone)) return
  selection.value = new Set([...selection.value].filter((id) => !isGone(id)))
}
