import { lstat, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { syncDirectory, writeFileAtomic } from '../../shared/atomic-file.ts'
import type { Clock, Timer } from '../../shared/clock.ts'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { unfinishedPutBacks } from '../../shared/session/put-back.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import { lockSession } from '../../shared/session/session-lock.ts'
import { SET_ASIDE_DIR } from '../../shared/session/set-aside.ts'
import { PRUNING_PREFIX } from '../../shared/session/set-aside-name.ts'
import { planPrune, trustClock, type ClockTrust, type Entry } from '../core/prune-plan.ts'

export interface PruneOptions {
  readonly sessionsPath: string
  /** 0: nothing is too old. */
  readonly keepDays: number
  readonly clock: Clock
  readonly log: Log
}

const DAY_MS = 86_400_000
/** When the clock was last looked at, and from when on it is believed: see core/prune-plan.ts. */
export const CLOCK_FILE = '.clock.json'
const ClockFile = Compile(Type.Object({ seenMs: Type.Number(), trustedFromMs: Type.Number() }))

/**
 * Deletes what was set aside too long ago, now and once a day; errors are logged, and the next day tries again.
 * @returns ends it; a deletion under way is finished or left as a leftover
 */
export function schedulePrunes(options: PruneOptions): () => void {
  let timer: Timer | undefined
  const stop = new AbortController()
  const prune = async (): Promise<void> => {
    await pruneSessions(options, stop.signal).catch((error: unknown) => {
      options.log.error({ event: 'session.prune_failed', cause: messageOf(error) }, 'Sessions that were set aside')
    })
    // A day from the end of it: a disk that hangs gets no second prune on top.
    if (!stop.signal.aborted) timer = options.clock.setTimer(DAY_MS, () => void prune(), { unref: true })
  }
  void prune()
  return () => {
    stop.abort()
    timer?.cancel()
  }
}

/** One prune. Rejects with the system's error when the directory can't be read; nothing is half done then. */
export async function pruneSessions(options: PruneOptions, signal?: AbortSignal): Promise<void> {
  const { sessionsPath, keepDays, clock, log } = options
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  const entries = await directoriesIn(aside)
  if (entries === undefined) return
  const nowMs = clock.nowMs()
  const onTheirWay = new Set((await unfinishedPutBacks(sessionsPath)).map(({ session }) => session))
  const plan = planPrune(entries, keepDays, nowMs, onTheirWay)
  for (const name of plan.leftovers) {
    if (signal?.aborted) return
    await attempt(name, log, async () => rm(join(aside, name), { recursive: true, force: true }))
  }
  const trustedFromMs = await lookAtClock(aside, nowMs, log)
  if (plan.tooOld.length === 0) return
  if (trustedFromMs > nowMs) {
    const from = new Date(trustedFromMs).toISOString()
    log.warn(
      { event: 'session.prune_put_off', sessions: plan.tooOld.length, until: from },
      'The clock has moved far since the last look: is it right? Nothing is deleted before it has stood for a day',
    )
    return
  }
  for (const { id, accountId, reason, ageDays } of plan.tooOld) {
    if (signal?.aborted) return
    await attempt(id, log, async () => {
      if (await remove(aside, id)) {
        log.info({ event: 'session.pruned', accountId, reason, ageDays }, 'A session that was set aside was deleted')
      }
    })
  }
}

/** The real directories in `path`, never a link to one; undefined where `path` itself is none. */
async function directoriesIn(path: string): Promise<Entry[] | undefined> {
  try {
    if (!(await lstat(path)).isDirectory()) return undefined
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  const found: Entry[] = []
  for (const name of (await readdir(path)).sort()) {
    const stat = await lstat(join(path, name)).catch(() => undefined)
    if (stat?.isDirectory()) found.push({ name, changedAtMs: stat.ctimeMs })
  }
  return found
}

/**
 * Remembers that the clock was looked at.
 * @returns from when on it is believed, epoch ms. Where that can't be kept, what is already on the disk counts, and a
 *   clock that is new is then not believed: nothing is deleted on a full disk after a long pause.
 */
async function lookAtClock(aside: string, nowMs: number, log: Log): Promise<number> {
  const path = join(aside, CLOCK_FILE)
  const trust = trustClock(await readClock(path), nowMs)
  await writeFileAtomic(path, `${JSON.stringify(trust)}\n`).catch((error: unknown) => {
    log.warn({ event: 'session.prune_clock_failed', errno: errnoOf(error) }, 'The last look at the clock')
  })
  return trust.trustedFromMs
}

async function readClock(path: string): Promise<ClockTrust | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(path, 'utf8'))
    return ClockFile.Check(parsed) ? parsed : undefined
  } catch {
    // Whatever it was: a clock that nothing is known of is only believed a day later.
    return undefined
  }
}

/**
 * Deletes one session, under its own lock: whoever puts it back holds that.
 * @returns false when somebody else has it, or it is gone
 */
async function remove(aside: string, id: string): Promise<boolean> {
  const dir = join(aside, id)
  let lock
  try {
    lock = await lockSession({ dir, waitMs: 0, create: false })
  } catch (error) {
    if (error instanceof SessionError && (error.code === 'session_locked' || error.code === 'session_not_found')) {
      return false
    }
    throw error
  }
  try {
    // A name that says so, on the disk before the first file goes: half a session is never offered to anybody.
    const doomed = join(aside, `${PRUNING_PREFIX}${id}`)
    await rename(dir, doomed)
    await syncDirectory(aside)
    await rm(doomed, { recursive: true, force: true })
    return true
  } finally {
    await lock.release()
  }
}

/** One that can't be deleted keeps nobody else's from being. */
async function attempt(name: string, log: Log, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    log.error({ event: 'session.prune_failed', session: name, cause: messageOf(error) }, 'Deleting failed')
  }
}
