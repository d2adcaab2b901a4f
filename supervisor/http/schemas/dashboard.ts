import { Type } from 'typebox'
import { REASON_NAMES, TODO_ACTIONS } from '../../../shared/states.ts'
import { ACTIONS } from '../../core/bulk-action.ts'
import { TROUBLE_KINDS } from '../../core/fleet-trouble.ts'
import { IsoTime, Nullable, RestartProgress, Status } from './common.ts'

/** What the service shows of itself. */
export const Health = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('unavailable')]),
  checks: Type.Object({
    service: Type.Union([Type.Literal('ok'), Type.Literal('starting'), Type.Literal('stopping')]),
    storage: Type.Object({ path: Type.String(), exists: Type.Boolean(), writable: Type.Boolean() }),
    firestore: Type.Union([Type.Literal('disabled'), Type.Literal('ok'), Type.Literal('degraded')]),
    /** Age of the oldest change that no backup has; null where there is none. */
    oldestUnsavedMs: Nullable(Type.Integer()),
    accounts: Type.Object({ total: Type.Integer(), connected: Type.Integer() }),
  }),
})

export const DashboardAccount = Type.Object({
  accountId: Type.String(),
  name: Type.String(),
  phone: Nullable(Type.String({ description: 'Masked: +407****97' })),
  status: Status,
  reason: Nullable(Type.Enum(REASON_NAMES)),
  /** The reason in words, or what the worker itself said of it. */
  detail: Nullable(Type.String()),
  /** What a person should do about it: a word for a program, a sentence for the person. */
  todo: Nullable(Type.Object({ action: Type.Enum([...TODO_ACTIONS]), message: Type.String() })),
  /** Nothing will change before that is done. */
  needsPerson: Type.Boolean(),
  desired: Type.Union([Type.Literal('running'), Type.Literal('paused'), Type.Literal('removed')]),
  statusSince: IsoTime,
  /** What happened to the account that its operator should know: for two weeks. */
  notice: Nullable(
    Type.Object({
      code: Type.Union([Type.Literal('session_recovered'), Type.Literal('session_restored')]),
      at: IsoTime,
      message: Type.String(),
    }),
  ),
  attempt: Type.Integer(),
  nextTryAt: Nullable(IsoTime),
  lastEventAt: Nullable(IsoTime),
  lastMessageAt: Nullable(IsoTime),
  /** What went over the connection, as the worker's last heartbeat told it. */
  activity: Type.Object({
    lastFrameAt: Nullable(IsoTime),
    lastEventAt: Nullable(IsoTime),
    lastMessageInAt: Nullable(IsoTime),
    lastAckedOutAt: Nullable(IsoTime),
  }),
  messages: Type.Object({ in: Type.Integer(), out: Type.Integer() }, { description: "since the service's start" }),
  decryptFailures: Type.Integer(),
  reconnectCount: Type.Integer(),
  restarts24h: Type.Integer({ description: "processes that took an earlier one's place, since the service's start" }),
  needsQR: Type.Boolean(),
  qrCode: Type.Optional(Type.String({ description: 'PNG data URL, only while needsQR' })),
  qrExpiresAt: Type.Optional(IsoTime),
  backup: Nullable(
    Type.Object({
      revision: Nullable(Type.Integer()),
      savedAt: Nullable(IsoTime),
      ageMs: Nullable(Type.Integer()),
      bytes: Nullable(Type.Integer({ description: 'sealed' })),
      pending: Type.Boolean({ description: 'something has changed since' }),
      error: Nullable(Type.String({ description: 'why there is no newer one' })),
    }),
  ),
  process: Type.Object({
    state: Type.String(),
    pid: Nullable(Type.Integer()),
    startedAt: Nullable(IsoTime),
    uptime: Nullable(Type.Integer({ description: 'seconds' })),
    rssBytes: Nullable(Type.Integer()),
    loopDelayMs: Nullable(Type.Number()),
    cpuPercent: Nullable(Type.Number({ description: 'of one core, over the last heartbeats' })),
    crashCount: Type.Integer(),
    generation: Type.Integer(),
  }),
})

export const BulkAction = Type.Object({
  id: Type.String(),
  action: Type.Enum(ACTIONS),
  total: Type.Integer(),
  done: Type.Integer(),
  failed: Type.Integer(),
  startedAt: IsoTime,
})

export const BootProgress = Type.Object({
  connected: Type.Integer(),
  settled: Type.Integer({ description: 'connected, or waiting for a person' }),
  total: Type.Integer(),
  remainingMs: Type.Integer({ description: 'an estimate' }),
})

const Service = Type.Object({
  status: Type.Union([Type.Literal('starting'), Type.Literal('running'), Type.Literal('stopping')]),
  uptime: Type.Integer({ description: 'seconds' }),
  version: Type.String(),
})

const Summary = Type.Object({
  connected: Type.Integer(),
  connecting: Type.Integer(),
  disconnected: Type.Integer({ description: 'paused ones included' }),
  needs_qr: Type.Integer(),
  paused: Type.Integer(),
  total: Type.Integer(),
})

/** Of the whole fleet: what the dashboard and `fleet.event` share. */
export const FleetState = Type.Object({
  service: Service,
  storage: Type.Object({ path: Type.String(), writable: Type.Boolean(), totalAccounts: Type.Integer() }),
  firestore: Type.Object({
    state: Type.Union([Type.Literal('disabled'), Type.Literal('ok'), Type.Literal('degraded')]),
    oldestUnsavedMs: Nullable(Type.Integer({ description: 'age of the oldest change that no backup has' })),
  }),
  /** What several accounts share, in one place: null while there is nothing of the kind. */
  trouble: Nullable(
    Type.Object({
      kind: Type.Enum(TROUBLE_KINDS),
      since: IsoTime,
      accounts: Type.Integer(),
      message: Type.String(),
      nextProbeAt: Nullable(IsoTime),
    }),
  ),
  connectsPaused: Type.Boolean(),
  /** A restart of all accounts that is under way. */
  restarting: Nullable(RestartProgress),
  actions: Type.Array(BulkAction, { description: 'that are under way' }),
  summary: Summary,
  maxAccounts: Type.Integer(),
})

export const Role = Type.Union([Type.Literal('admin'), Type.Literal('viewer')])

export const Dashboard = Type.Object({
  timestamp: IsoTime,
  role: Role,
  ...FleetState.properties,
  boot: Nullable(BootProgress),
  accounts: Type.Array(DashboardAccount),
})
