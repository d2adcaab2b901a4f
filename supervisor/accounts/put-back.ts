import type { Clock } from '../../shared/clock.ts'
import { AppError, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { isSamePhone, maskPhone } from '../../shared/phone.ts'
import { findPutBacks, finishPutBack, putBackSession } from '../../shared/session/put-back.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { assertRoom } from './onboarding.ts'
import type { Registry } from './registry.ts'
import { findSetAside, type SetAsideSession } from './set-aside-sessions.ts'

export interface PutBackDeps {
  registry: Registry
  fleet: Fleet
  clock: Clock
  sessionsPath: string
  maxAccounts: number
}

/** The account's own worker has ended; whoever else holds the directory is another program. */
const LOCK_WAIT_MS = 2000
/** At a start the workers of a supervisor that died may still be flushing: they have 8 s for it. */
const START_LOCK_WAIT_MS = 10_000

/**
 * Puts a session that was set aside back as the session of an account, which may have been removed.
 * @throws AppError set_aside_not_found, account_not_found, account_removing, session_mismatch, too_many_accounts,
 *   out_of_memory, session_in_use, storage_unavailable, shutting_down
 */
export async function putBackToAccount(accountId: string, id: string, deps: PutBackDeps): Promise<void> {
  const { registry, fleet, clock, sessionsPath } = deps
  fleet.assertRunning()
  const session = await findSetAside(sessionsPath, id).catch((error: unknown) => {
    throw new AppError('storage_unavailable', `The sessions that were set aside can't be read: ${messageOf(error)}.`)
  })
  // Nothing is awaited from here to the fleet's own bookkeeping: two requests see one after the other.
  const known = registry.get(accountId)
  // Asked twice while it is under way, or half done after a failure: the same put-back, whose session may have moved.
  if (fleet.isPuttingBack(accountId, id) && known !== undefined) return fleet.putBack(known.record, id)
  if (session === undefined) {
    if (known !== undefined && fleet.wasPutBack(accountId, id)) return
    throw new AppError(
      'set_aside_not_found',
      `There is no session "${id.slice(0, 120)}" that could be put back: it was put back or pruned, or never was. GET /api/whatsapp/sessions/set-aside lists them.`,
    )
  }
  if (known === undefined && session.accountId !== accountId) {
    throw new AppError(
      'account_not_found',
      `There is no account "${accountId}". This session was that of "${session.accountId}": put it back there.`,
    )
  }
  refuseOtherPhone(accountId, session, registry)
  if (known === undefined) assertRoom(deps)
  const record = known?.record ?? {
    accountId,
    name: session.ownerName ?? accountId,
    phone: session.phone,
    desired: 'running' as const,
    purge: false,
    createdAt: new Date(clock.nowMs()).toISOString(),
  }
  return fleet.putBack(record, id)
}

/** A session is one phone's; one that does not say whose goes back only to where it came from. */
function refuseOtherPhone(accountId: string, session: SetAsideSession, registry: Registry): void {
  const { phone } = session
  const wanted = registry.get(accountId)?.record.phone ?? null
  if (phone === null) {
    if (session.accountId === accountId) return
    throw new AppError(
      'session_mismatch',
      `This session was that of "${session.accountId}", and its creds don't say of which phone: it can only be put back there.`,
    )
  }
  if (wanted !== null && !isSamePhone(phone, wanted)) {
    throw new AppError(
      'session_mismatch',
      `This session is of ${maskPhone(phone)}, and account "${accountId}" of ${maskPhone(wanted)}.`,
    )
  }
  const holder = registry.findByPhone(phone)?.record.accountId
  if (holder !== undefined && holder !== accountId) {
    throw new AppError('session_mismatch', `Account "${holder}" has the phone of this session: put it back there.`)
  }
}

/**
 * The move itself, for the fleet; the account's worker has ended.
 * @throws AppError session_in_use, set_aside_not_found, storage_unavailable. `details.begun`: it will be finished, and
 *   until then the account must not be started.
 */
export async function movePutBack(sessionsPath: string, accountId: string, id: string, nowMs: number): Promise<void> {
  const options = { sessionsPath, accountId, session: id, nowMs }
  try {
    // One that has failed half-way may have its session in place already.
    const wish = (await findPutBacks(sessionsPath)).find((found) => found.accountId === accountId)
    if (wish?.session instanceof Error) throw wish.session
    const begun = wish?.session === id
    await (begun ? finishPutBack : putBackSession)(options, LOCK_WAIT_MS)
  } catch (error) {
    const begun = await isBegun(sessionsPath, accountId)
    throw refusal(error, begun)
  }
}

/**
 * Before anything is started: what a crash or a failing disk cut short.
 * @returns the accounts for which that failed; they must not be started
 */
export async function finishPutBacks(sessionsPath: string, nowMs: number, log: Log): Promise<Map<string, string>> {
  const stuck = new Map<string, string>()
  let wishes
  try {
    wishes = await findPutBacks(sessionsPath)
  } catch (error) {
    log.error({ event: 'session.put_back_failed', cause: messageOf(error) }, 'Unfinished put-backs')
    return stuck
  }
  for (const { accountId, session } of wishes) {
    if (typeof session !== 'string') {
      // Its place may be empty: until a person has looked, nothing starts it.
      stuck.set(accountId, '(unreadable)')
      log.error({ event: 'session.put_back_failed', accountId, cause: session.message }, 'Session')
      continue
    }
    try {
      await finishPutBack({ sessionsPath, accountId, session, nowMs }, START_LOCK_WAIT_MS)
      log.warn({ event: 'session.put_back', accountId, session }, 'A put-back that was cut short is done')
    } catch (error) {
      stuck.set(accountId, session)
      log.error({ event: 'session.put_back_failed', accountId, session, cause: messageOf(error) }, 'Session')
    }
  }
  return stuck
}

async function isBegun(sessionsPath: string, accountId: string): Promise<boolean> {
  try {
    // Also one that can't be read; of another account it says nothing of this one.
    return (await findPutBacks(sessionsPath)).some((wish) => wish.accountId === accountId)
  } catch {
    // Nothing can be read: to keep the account down is the only answer that can't cost a session.
    return true
  }
}

function refusal(error: unknown, begun: boolean): AppError {
  const options = { cause: error, details: { begun } }
  const code = error instanceof SessionError ? error.code : undefined
  switch (code) {
    case 'session_not_found':
      return new AppError('set_aside_not_found', messageOf(error), options)
    case 'session_locked':
    case 'destination_refused':
      return new AppError('session_in_use', messageOf(error), options)
    default: {
      const next = begun ? ' It goes on at the next start, or when it is asked for again.' : ' Nothing was changed.'
      return new AppError('storage_unavailable', `${messageOf(error)}${next}`, options)
    }
  }
}
