/**
 * A session that was set aside becomes the account's session again; the one in its place is set aside in turn.
 *
 * | step | a crash after it leaves | the next start |
 * |---|---|---|
 * | 1 the wish is written to .set-aside/.put-back-<account>, synced | the old session | goes on with 2 |
 * | 2 the session in place is set aside as replaced_by_put_back | no session in place | goes on with 3 |
 * | 3 the chosen one is renamed into place, both directories are synced | the new session | goes on with 4 |
 * | 4 the wish is deleted | the new session | nothing to do |
 *
 * Before 1 the account has its old session, after it the new one, at the next start at the latest: finishing is doing the
 * same steps again, and a chosen session that is not in .set-aside any more says that 3 is over. Each step is a rename
 * of a whole directory, so no file is ever written, copied or deleted, and whoever prunes meets a lock or the wish.
 * In an account's place, "no session" would become a new identity: nothing may start the account between 1 and 3.
 */
import { join } from 'node:path'
import { isAccountId } from '../account-id.ts'
import { lockSession, type SessionLock } from './session-lock.ts'
import { isAbsent, SessionError, storageError } from './session-error.ts'
import { nodeFs, writeFully, type SessionFs } from './session-fs.ts'
import { freeNameAside, listIfThere, SET_ASIDE_DIR, setAside } from './set-aside.ts'
import { parseSetAsideName, PRUNING_PREFIX, PURGING, PUT_BACK_PREFIX } from './set-aside-name.ts'

/** Under which the session that made room is found again. */
export const REPLACED = 'replaced_by_put_back'
/** One for each account: the lock of an account's directory keeps others from it. */
const TEMPORARY_WISH_PREFIX = '.tmp-put-back-'

export interface PutBackWish {
  readonly accountId: string
  /** The name of the chosen session in .set-aside. */
  readonly session: string
}

export interface PutBackOptions extends PutBackWish {
  readonly sessionsPath: string
  readonly nowMs: number
  readonly fs?: SessionFs
}

/**
 * Takes the locks of both directories and puts the session back. Rejects with session_not_found (no such session was set
 * aside), session_locked (somebody has one of the two), destination_refused (another put-back of this account has not come
 * to its end) or storage_*: `unfinishedPutBacks` then says whether it was begun.
 * @param waitMs how long another holder may take to go
 */
export async function putBackSession(options: PutBackOptions, waitMs: number): Promise<void> {
  const { sessionsPath, accountId, session, fs = nodeFs } = options
  await refuseUnknown(options)
  const locks: SessionLock[] = []
  try {
    // Made where it is not there: nobody else can make it while its session is on the way.
    locks.push(await lockSession({ dir: join(sessionsPath, accountId), waitMs }))
    locks.push(await lockSession({ dir: join(sessionsPath, SET_ASIDE_DIR, session), waitMs, create: false }))
    await putBack({ ...options, fs })
  } finally {
    for (const lock of locks) await lock.release()
  }
}

/** Every put-back that a crash or a failing disk cut short. Rejects with storage_failed, also where one can't be read. */
export async function unfinishedPutBacks(sessionsPath: string, fs: SessionFs = nodeFs): Promise<PutBackWish[]> {
  const wishes = await findPutBacks(sessionsPath, fs)
  return wishes.map(({ accountId, session }) => {
    if (typeof session !== 'string') throw storageError(session, 'read', `the put-back of ${accountId}`)
    return { accountId, session }
  })
}

/**
 * The same for a start, which finishes what it can: one that can't be read is no reason to leave the others in the middle.
 * `session` is the error where it can't. Rejects with storage_failed when the directory can't be listed.
 */
export async function findPutBacks(
  sessionsPath: string,
  fs: SessionFs = nodeFs,
): Promise<{ readonly accountId: string; readonly session: string | Error }[]> {
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  const entries = await listIfThere(fs, aside).catch((error: unknown) => {
    throw storageError(error, 'read', aside)
  })
  const accountIds = entries.flatMap(({ name }) => {
    const accountId = name.startsWith(PUT_BACK_PREFIX) ? name.slice(PUT_BACK_PREFIX.length) : ''
    return isAccountId(accountId) ? [accountId] : []
  })
  return Promise.all(
    accountIds.map(async (accountId) => {
      try {
        const bytes = await fs.readFile(join(aside, `${PUT_BACK_PREFIX}${accountId}`))
        return { accountId, session: bytes.toString('utf8').trim() }
      } catch (error) {
        return { accountId, session: error instanceof Error ? error : new Error(String(error)) }
      }
    }),
  )
}

/** Carries a put-back that was begun to its end, under the same locks. Rejects as putBackSession. */
export async function finishPutBack(options: PutBackOptions, waitMs: number): Promise<void> {
  const { sessionsPath, accountId, session, fs = nodeFs } = options
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  if (await isThere(fs, aside, session)) return putBackSession(options, waitMs)
  await forget(fs, aside, accountId)
}

/** The steps alone; the caller holds both locks. */
export async function putBack(options: PutBackOptions): Promise<void> {
  const { sessionsPath, accountId, session, nowMs, fs = nodeFs } = options
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  const place = join(sessionsPath, accountId)
  await refuseUnknown(options)
  const begun = (await findPutBacks(sessionsPath, fs)).find((wish) => wish.accountId === accountId)?.session
  if (begun instanceof Error) throw storageError(begun, 'read', `the put-back of ${accountId}`)
  if (begun !== undefined && begun !== session && (await isThere(fs, aside, begun))) {
    throw new SessionError(
      'destination_refused',
      `Putting back ${begun} was begun and has not come to its end: ask for that one again first.`,
      { accountId },
    )
  }
  try {
    await remember(fs, aside, accountId, session)
    const replaced = await setAside({ sessionsPath, accountId, reason: REPLACED, nowMs, fs })
    if (replaced === undefined && (await isThere(fs, sessionsPath, accountId))) {
      // Nothing but a lock, which can't stay where a directory is to go.
      const name = await freeNameAside(fs, aside, accountId, 'empty', nowMs)
      await fs.rename(place, join(aside, `${PRUNING_PREFIX}${name}`))
    }
    await fs.rename(join(aside, session), place)
    await fs.syncDir(sessionsPath)
    await fs.syncDir(aside)
    await forget(fs, aside, accountId)
  } catch (error) {
    throw storageError(error, 'put back', join(aside, session))
  }
}

/** A session as it lies there, under a name that this service gave; what is being destroyed is none. */
async function refuseUnknown({ sessionsPath, accountId, session, fs = nodeFs }: PutBackOptions): Promise<void> {
  const parsed = parseSetAsideName(session)
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  const known = isAccountId(accountId) && parsed !== undefined && parsed.reason !== PURGING
  if (known && (await isThere(fs, aside, session))) return
  throw new SessionError('session_not_found', `There is no session "${session}" in ${aside}.`, { dir: aside })
}

async function isThere(fs: SessionFs, dir: string, name: string): Promise<boolean> {
  try {
    // By the list: a link to a directory is none.
    return (await listIfThere(fs, dir)).some((entry) => entry.name === name && entry.kind === 'directory')
  } catch (error) {
    throw storageError(error, 'list', dir)
  }
}

async function remember(fs: SessionFs, aside: string, accountId: string, session: string): Promise<void> {
  const temporary = join(aside, `${TEMPORARY_WISH_PREFIX}${accountId}`)
  const file = await fs.open(temporary, 'create')
  try {
    await writeFully(file, Buffer.from(`${session}\n`), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await fs.rename(temporary, join(aside, `${PUT_BACK_PREFIX}${accountId}`))
  await fs.syncDir(aside)
}

/** Not synced: a wish that comes back after a power loss finds its session gone from .set-aside, and is done. */
async function forget(fs: SessionFs, aside: string, accountId: string): Promise<void> {
  await fs.unlink(join(aside, `${PUT_BACK_PREFIX}${accountId}`)).catch((error: unknown) => {
    if (!isAbsent(error)) throw storageError(error, 'write', aside)
  })
}
