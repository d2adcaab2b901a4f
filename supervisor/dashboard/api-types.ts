import type { Static } from 'typebox'
import type { Dashboard, DashboardAccount } from '../http/schemas.ts'

/** What the API says, as the page sees it. */
export type Role = 'admin' | 'viewer'
export type Status = DashboardAccountBody['status']
type DashboardAccountBody = Static<typeof DashboardAccount>
type DashboardBody = Static<typeof Dashboard>

export type Account = Omit<DashboardAccountBody, 'qrCode' | 'qrExpiresAt'> & {
  desired: 'running' | 'paused'
  statusSince: string
  messages: { in: number; out: number }
  decryptFailures: number
  restarts24h: number
  process: DashboardAccountBody['process'] & { cpuPercent: number | null }
}

export interface BulkAction {
  id: string
  action: ActionName
  total: number
  done: number
  failed: number
  startedAt: string
}

export interface BootProgress {
  connected: number
  settled: number
  total: number
  remainingMs: number | null
}

/** What is known of the fleet beyond its accounts. */
export type FleetFacts = Pick<DashboardBody, 'service' | 'storage' | 'trouble' | 'connectsPaused' | 'restarting'> & {
  firestore: { state: 'disabled' | 'ok' | 'degraded'; oldestUnsavedMs: number | null }
  actions: BulkAction[]
  summary: DashboardBody['summary'] & { paused: number }
  maxAccounts: number
}

export type Snapshot = FleetFacts & {
  timestamp: string
  role: Role
  boot: BootProgress | null
  accounts: Account[]
}

export interface ActivityUpdate extends Pick<
  Account,
  'accountId' | 'lastEventAt' | 'lastMessageAt' | 'activity' | 'messages' | 'decryptFailures' | 'backup'
> {
  process: Pick<Account['process'], 'rssBytes' | 'cpuPercent' | 'loopDelayMs'>
}

export interface LogLine {
  at: string
  level: string
  event: string | null
  message: string
  fields: Record<string, unknown>
}

export type ActionName = 'restart' | 'pause' | 'resume' | 'pair' | 'logout' | 'remove'

export interface ActionResult {
  accountId: string
  outcome: string
  error?: { code: string; message: string }
}

export interface AddResult {
  name: string
  phone: string
  accountId: string | null
  outcome: 'added' | 'exists' | 'error'
  error?: { code: string; message: string }
}

export interface Transition {
  at: string
  status: Status
  reason: string | null
  code: number | null
  detail: string | null
}

/** A state that began at `from` and lasted until the next segment began. */
export interface Segment {
  from: string
  status: Status
  reason: string | null
}

export interface FleetHistory {
  from: string
  to: string
  accounts: { accountId: string; segments: Segment[] }[]
  connected: { at: string; count: number }[]
  messages: { at: string; in: number; out: number }[]
}

export interface SetAsideSession {
  id: string
  accountId: string
  reason: string
  setAsideAt: string
  phone: string | null
  sizeBytes: number
}
