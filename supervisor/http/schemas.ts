import { Type } from 'typebox'
import { ACCOUNT_ID_PATTERN } from '../../shared/account-id.ts'
import { TROUBLE_KINDS } from '../core/fleet-trouble.ts'
import { RecoverFrom } from '../../shared/session/recovery.ts'
import { REASON_NAMES, TODO_ACTIONS } from '../../shared/states.ts'

/** The shapes of the API. Paths and fields are promises: others build on them. */
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const IsoTime = Type.String({ description: 'ISO 8601, UTC' })

export const Status = Type.Union([
  Type.Literal('connected'),
  Type.Literal('connecting'),
  Type.Literal('disconnected'),
  Type.Literal('needs_qr'),
])

export const ErrorBody = Type.Object({
  success: Type.Literal(false),
  error: Type.Object({ code: Type.String(), message: Type.String() }),
})

export const AccountParams = Type.Object({ accountId: Type.String({ maxLength: 200 }) })

export const AddAccountBody = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100, pattern: '\\S' }),
    phone: Type.String({ minLength: 1, maxLength: 40, description: 'E.164 in any usual form: +40 712 345 678' }),
  },
  { additionalProperties: false },
)

export const AddedAccount = Type.Object({
  success: Type.Literal(true),
  account: Type.Object({
    accountId: Type.String({ pattern: ACCOUNT_ID_PATTERN }),
    name: Type.String(),
    phone: Nullable(Type.String()),
    status: Status,
    reason: Nullable(Type.Enum(REASON_NAMES)),
    qrCode: Nullable(Type.String({ description: 'PNG data URL' })),
  }),
})

export const RemoveQuery = Type.Object(
  { purge: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')])) },
  { additionalProperties: false },
)

export const Done = Type.Object({
  success: Type.Literal(true),
  account: Type.Object({ accountId: Type.String(), status: Type.String() }),
})

/** Of routes that concern all accounts: a body or query that would narrow them down is refused, not ignored. */
export const NoBody = Type.Union([Type.Object({}, { additionalProperties: false }), Type.Null()])
export const NoQuery = Type.Object({}, { additionalProperties: false })
export const BackupNow = Type.Object({
  success: Type.Literal(true),
  pending: Type.Array(Type.String({ description: 'accountId' })),
})

export const PutBackBody = Type.Object(
  { session: Type.String({ minLength: 1, maxLength: 200, description: 'The id of a session that was set aside' }) },
  { additionalProperties: false },
)

export const RecoverBody = Type.Object({ from: RecoverFrom }, { additionalProperties: false })

export const Recovered = Type.Object({
  success: Type.Literal(true),
  account: Type.Object({ accountId: Type.String(), status: Type.String() }),
  /** Null when there was nothing to recover, or it is not done yet. */
  recovery: Nullable(
    Type.Object({
      from: RecoverFrom,
      at: IsoTime,
      recordsKept: Type.Integer(),
      recordsLost: Type.Integer(),
      bytesLeftOut: Type.Integer(),
      revision: Type.Integer(),
    }),
  ),
})

export const SetAsideList = Type.Object({
  success: Type.Literal(true),
  sessions: Type.Array(
    Type.Object({
      id: Type.String(),
      accountId: Type.String(),
      reason: Type.String(),
      setAsideAt: IsoTime,
      phone: Nullable(Type.String({ description: 'Masked: +407****97' })),
      sizeBytes: Type.Integer(),
    }),
  ),
})

export const PairingCode = Type.Object({
  success: Type.Literal(true),
  code: Type.String({ description: 'To type into the phone: ABCD-EFGH' }),
})

const RestartProgress = Type.Object({
  startedAt: IsoTime,
  done: Type.Integer(),
  total: Type.Integer(),
})

export const RestartAll = Type.Object({ success: Type.Literal(true), restart: RestartProgress })

export const Connects = Type.Object({ success: Type.Literal(true), connectsPaused: Type.Boolean() })

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
  reconnectCount: Type.Integer(),
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
    crashCount: Type.Integer(),
    generation: Type.Integer(),
  }),
})

export const Dashboard = Type.Object({
  timestamp: IsoTime,
  service: Type.Object({
    status: Type.Union([Type.Literal('starting'), Type.Literal('running'), Type.Literal('stopping')]),
    uptime: Type.Integer({ description: 'seconds' }),
    version: Type.String(),
  }),
  storage: Type.Object({ path: Type.String(), writable: Type.Boolean(), totalAccounts: Type.Integer() }),
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
  accounts: Type.Array(DashboardAccount),
  summary: Type.Object({
    connected: Type.Integer(),
    connecting: Type.Integer(),
    disconnected: Type.Integer(),
    needs_qr: Type.Integer(),
    total: Type.Integer(),
  }),
})

export const LoginBody = Type.Object(
  { token: Type.Optional(Type.String({ maxLength: 500 })), code: Type.Optional(Type.String({ maxLength: 100 })) },
  { additionalProperties: false },
)
