import { Type } from 'typebox'
import { ACCOUNT_ID_PATTERN } from '../../../shared/account-id.ts'
import { RecoverFrom } from '../../../shared/session/recovery.ts'
import { REASON_NAMES } from '../../../shared/states.ts'
import { IsoTime, Nullable, RestartProgress, Status } from './common.ts'

/** What an operator does, and what is answered. */
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

export const RestartAll = Type.Object({ success: Type.Literal(true), restart: RestartProgress })

export const Connects = Type.Object({ success: Type.Literal(true), connectsPaused: Type.Boolean() })
