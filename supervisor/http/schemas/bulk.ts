import { Type } from 'typebox'
import { ACTIONS } from '../../core/bulk-action.ts'
import { AddAccountBody } from './commands.ts'
import { ErrorBody, IsoTime, Nullable } from './common.ts'
import { BulkAction } from './dashboard.ts'

/** Many accounts at once. */
const Problem = ErrorBody.properties.error

export const AddAccountsBody = Type.Object(
  {
    accounts: Type.Array(
      Type.Object(
        // What is wrong with one of them is said of that one: the others are added.
        { name: Type.String({ maxLength: 100 }), phone: AddAccountBody.properties.phone },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 200 },
    ),
  },
  { additionalProperties: false },
)

export const AddedAccounts = Type.Object({
  success: Type.Literal(true),
  results: Type.Array(
    Type.Object({
      name: Type.String(),
      phone: Type.String({ description: 'As it was given' }),
      accountId: Nullable(Type.String()),
      outcome: Type.Union([Type.Literal('added'), Type.Literal('exists'), Type.Literal('error')]),
      error: Type.Optional(Problem),
    }),
  ),
})

export const ActionBody = Type.Object(
  {
    action: Type.Enum(ACTIONS),
    accountIds: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 1000 }),
  },
  { additionalProperties: false },
)

export const ActionStarted = Type.Object({
  success: Type.Literal(true),
  actionId: Type.String(),
  total: Type.Integer(),
})

export const ActionParams = Type.Object({ actionId: Type.String({ maxLength: 100 }) })

export const ActionState = Type.Object({
  success: Type.Literal(true),
  action: Type.Object({
    ...BulkAction.properties,
    finishedAt: Nullable(IsoTime),
    results: Type.Array(
      Type.Object({
        accountId: Type.String(),
        outcome: Type.Union([Type.Literal('done'), Type.Literal('error')]),
        error: Type.Optional(Problem),
      }),
    ),
  }),
})
