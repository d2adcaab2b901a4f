/**
 * The names below SESSIONS_PATH/.set-aside: `<account>-<time>-<reason>`, and `-2`, `-3` ... for more of one second.
 *
 * Whatever reads that directory goes by this parser alone: what it does not take was put there by somebody else, and is
 * neither listed nor put back nor pruned. Names with a leading dot are this service's own half-done work.
 */
import { isAccountId } from '../account-id.ts'
import { timestamp } from './names.ts'

/** A session that is being deleted: no session, whatever still lies in it. */
export const PRUNING_PREFIX = '.pruning-'
/** A session that is being copied here: none before it has its name. */
export const COPYING_PREFIX = '.copying-'
/** A put-back that was begun: a file with the id of the session, named after the account. */
export const PUT_BACK_PREFIX = '.put-back-'
/** The operator asked for this one to be destroyed: never offered, and finished when a crash cut it short. */
export const PURGING = 'purging'

export interface SetAsideName {
  /** The whole name of the directory. */
  readonly id: string
  readonly accountId: string
  readonly setAsideAtMs: number
  readonly reason: string
}

/** A reason becomes part of a name; without dashes, so that the end of a name is read in one way only. */
const REASON = /^[a-z][a-z0-9_]{0,39}$/
const NAME = /^(.+)-(\d{4})-(\d\d)-(\d\d)T(\d\d)-(\d\d)-(\d\d)Z-([a-z][a-z0-9_]{0,39})(?:-(?:[2-9]|[1-9]\d{1,3}))?$/

export function isSetAsideReason(text: string): boolean {
  return REASON.test(text)
}

/** What a name says, or undefined when it is none that this service gives: a time that no calendar has, say. */
export function parseSetAsideName(id: string): SetAsideName | undefined {
  const [, accountId = '', year, month, day, hour, minute, second, reason = ''] = NAME.exec(id) ?? []
  if (!isAccountId(accountId)) return undefined
  const setAsideAtMs = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  )
  // Date.UTC takes the 31st of February for the 3rd of March, and the year 99 for 1999.
  if (timestamp(setAsideAtMs) !== `${year}-${month}-${day}T${hour}-${minute}-${second}Z`) return undefined
  return { id, accountId, setAsideAtMs, reason }
}
