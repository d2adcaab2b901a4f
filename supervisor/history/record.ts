import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { REASON_NAMES, type Reason } from '../../shared/states.ts'

/**
 * One line of the history on the disk. Short names: a busy fleet writes tens of thousands a day. No secrets and no phone
 * numbers: what the log says of a transition, and no more.
 */
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const AtMs = Type.Number({ minimum: 0, maximum: 8.64e15 })

/** The supervisor began. Whatever lies before it without a `stop` ended unseen. */
const Started = Type.Object({ k: Type.Literal('start'), at: AtMs })
const Stopped = Type.Object({ k: Type.Literal('stop'), at: AtMs })
const Changed = Type.Object({
  k: Type.Literal('s'),
  at: AtMs,
  /** The account. */
  a: Type.String(),
  s: Type.Union([
    Type.Literal('connected'),
    Type.Literal('connecting'),
    Type.Literal('needs_qr'),
    Type.Literal('disconnected'),
  ]),
  r: Nullable(Type.Unsafe<Reason>(Type.Enum(REASON_NAMES))),
  /** Close code. */
  c: Type.Optional(Type.Integer()),
  /** Detail. */
  d: Type.Optional(Type.String()),
  /** Not a transition: how it stood as the day's file began. */
  v: Type.Optional(Type.Literal(1)),
})
/** A minute of the fleet: connected accounts at its end, messages within it. */
const Minute = Type.Object({
  k: Type.Literal('m'),
  at: AtMs,
  n: Type.Integer({ minimum: 0 }),
  i: Type.Integer({ minimum: 0 }),
  o: Type.Integer({ minimum: 0 }),
})
const HistoryRecord = Type.Union([Started, Stopped, Changed, Minute])
export type HistoryRecord = Static<typeof HistoryRecord>
export type ChangeRecord = Static<typeof Changed>

const record = Compile(HistoryRecord)

/** Undefined for what is none: a torn end, a damaged sector, another version. */
export function parseRecord(line: string): HistoryRecord | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    return record.Check(parsed) ? parsed : undefined
  } catch {
    // Counted by whoever reads the file.
    return undefined
  }
}

/** The file of a moment's day, UTC. */
export function fileOf(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 10)}.jsonl`
}

/** The begin of the day that a file is of, epoch ms; undefined for any other file. */
export function dayOf(name: string): number | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})\.jsonl$/.exec(name)
  const atMs = match === null ? Number.NaN : Date.parse(`${match[1]}T00:00:00Z`)
  return Number.isNaN(atMs) ? undefined : atMs
}
