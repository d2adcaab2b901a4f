import { Type, type TSchema } from 'typebox'
import { ERRORS, type ErrorCode } from '../../../shared/errors.ts'

/** Pieces of the API's shapes. Paths and fields are promises: others build on them. */
export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const IsoTime = Type.String({ description: 'ISO 8601, UTC' })

export const Status = Type.Union([
  Type.Literal('connected'),
  Type.Literal('connecting'),
  Type.Literal('disconnected'),
  Type.Literal('needs_qr'),
])

export const ErrorBody = Type.Object(
  {
    success: Type.Literal(false),
    error: Type.Object({ code: Type.Enum(Object.keys(ERRORS) as ErrorCode[]), message: Type.String() }),
  },
  { description: 'What was wrong, and what to do about it' },
)

/** The answers of a route: its own, and the one shape of all errors. */
export function answers<T extends TSchema>(schema: T): { 200: T; '4xx': typeof ErrorBody; '5xx': typeof ErrorBody } {
  return { 200: schema, '4xx': ErrorBody, '5xx': ErrorBody }
}

export const AccountParams = Type.Object({ accountId: Type.String({ maxLength: 200 }) })

/** Of routes that concern all accounts: a body or query that would narrow them down is refused, not ignored. */
export const NoBody = Type.Union([Type.Object({}, { additionalProperties: false }), Type.Null()])
export const NoQuery = Type.Object({}, { additionalProperties: false })

export const RestartProgress = Type.Object({
  startedAt: IsoTime,
  done: Type.Integer(),
  total: Type.Integer(),
})

export const Success = Type.Object({ success: Type.Literal(true) })
