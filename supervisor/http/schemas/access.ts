import { Type } from 'typebox'
import { IsoTime } from './common.ts'
import { Role } from './dashboard.ts'

/** Logins and tokens. */
export const LoginBody = Type.Object(
  {
    token: Type.Optional(Type.String({ maxLength: 500, description: 'Any token: the login has its role' })),
    code: Type.Optional(Type.String({ maxLength: 100, description: 'From the address that the terminal printed' })),
  },
  { additionalProperties: false },
)

export const Me = Type.Object({ success: Type.Literal(true), role: Role })

export const NewTokenBody = Type.Object(
  { name: Type.String({ minLength: 1, maxLength: 100, pattern: '\\S' }), role: Role },
  { additionalProperties: false },
)

export const NewToken = Type.Object({
  success: Type.Literal(true),
  id: Type.String(),
  token: Type.String({ description: 'A secret, shown this once' }),
})

export const TokenList = Type.Object({
  success: Type.Literal(true),
  tokens: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), role: Role, createdAt: IsoTime })),
})

export const TokenParams = Type.Object({ id: Type.String({ maxLength: 100 }) })
