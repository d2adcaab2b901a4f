import { Type, type Static } from 'typebox'

/** The ways out of a damaged log, or of none at all: worker/session/recover.ts says what each keeps. */
export const RecoverFrom = Type.Union([Type.Literal('readable'), Type.Literal('previous'), Type.Literal('backup')])
export type RecoverFrom = Static<typeof RecoverFrom>

/** What a recovery did: an entry of the new log, and told to the operator. */
export const Recovery = Type.Object({
  from: RecoverFrom,
  /** Epoch ms. */
  atMs: Type.Number(),
  recordsKept: Type.Integer(),
  /** Records that are known to have been written after the ones that were kept. */
  recordsLost: Type.Integer(),
  /** Bytes of the damaged session.log that were not used: from 'previous' that is all of it. */
  bytesLeftOut: Type.Integer(),
  /** The last revision of the state that was gone back to. */
  revision: Type.Integer(),
  /** Of a backup: when it was saved, epoch ms. */
  savedAtMs: Type.Optional(Type.Number()),
})
export type Recovery = Static<typeof Recovery>
