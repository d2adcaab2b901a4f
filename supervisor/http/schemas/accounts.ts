import { Type } from 'typebox'
import { IsoTime, Nullable } from './common.ts'
import { DashboardAccount } from './dashboard.ts'

/** One account, looked at alone. */
export const OneAccount = Type.Object({ success: Type.Literal(true), account: DashboardAccount })

export const RenameBody = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 100, pattern: '\\S' }) },
  { additionalProperties: false },
)

export const LogsQuery = Type.Object(
  { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 200 })) },
  { additionalProperties: false },
)

export const LogLines = Type.Object({
  success: Type.Literal(true),
  lines: Type.Array(
    Type.Object({
      sequence: Type.Integer({ description: 'Grows by one with each line of the account' }),
      at: IsoTime,
      level: Type.Union([Type.Literal('info'), Type.Literal('warn'), Type.Literal('error'), Type.Literal('fatal')]),
      event: Nullable(Type.String()),
      message: Type.String(),
      fields: Type.Object({}, { additionalProperties: true }),
    }),
  ),
})

export const EventsQuery = Type.Object(
  {
    logs: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'An account whose log lines come as well; admins alone',
      }),
    ),
  },
  { additionalProperties: false },
)
