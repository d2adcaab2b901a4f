import { Type } from 'typebox'
import { REASON_NAMES } from '../../../shared/states.ts'
import { IsoTime, Nullable } from './common.ts'

/** What was. */
const PastStatus = Type.Union(
  [
    Type.Literal('connected'),
    Type.Literal('connecting'),
    Type.Literal('disconnected'),
    Type.Literal('needs_qr'),
    Type.Literal('not_running'),
  ],
  { description: 'not_running: the service itself was down' },
)
const PastReason = Nullable(Type.Enum(REASON_NAMES))

export const HistoryQuery = Type.Object(
  { hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 24, default: 24 })) },
  { additionalProperties: false },
)

export const Pictures = Type.Object({
  success: Type.Literal(true),
  from: IsoTime,
  to: IsoTime,
  accounts: Type.Array(
    Type.Object({
      accountId: Type.String(),
      segments: Type.Array(Type.Object({ from: IsoTime, status: PastStatus, reason: PastReason })),
    }),
  ),
  connected: Type.Array(Type.Object({ at: IsoTime, count: Nullable(Type.Integer()) })),
  messages: Type.Array(Type.Object({ at: IsoTime, in: Type.Integer(), out: Type.Integer() })),
})

export const TransitionsQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
    before: Type.Optional(Type.String({ minLength: 1, maxLength: 40, description: 'ISO 8601; what `next` said' })),
  },
  { additionalProperties: false },
)

export const Transitions = Type.Object({
  success: Type.Literal(true),
  transitions: Type.Array(
    Type.Object({
      at: IsoTime,
      status: PastStatus,
      reason: PastReason,
      code: Nullable(Type.Integer({ description: "WhatsApp's close code" })),
      detail: Nullable(Type.String()),
    }),
  ),
  next: Nullable(IsoTime),
})
