/**
 * One process per session directory: flock(2) on the file `lock` in it.
 *
 * - The kernel's lock decides. It dies with the process, so kill -9 leaves nothing stale; the file is never deleted,
 *   and what is written in it (pid, start) is only there to name the holder.
 * - The descriptor stays open for as long as the lock is held; Node opens it close-on-exec, so no child keeps it.
 * - A lock is on a file, not on a name: after taking it, the name must still lead to that file, or the directory was
 *   set aside meanwhile and the attempt starts over.
 * - flock is not in Node's API: koffi calls it in the C library that Node itself runs on.
 */
import { close, fstat, ftruncate, open, read, stat, write } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock, type Clock } from '../clock.ts'
import { isAbsent, SessionError, storageError } from './session-error.ts'
import { nodeFs } from './session-fs.ts'

const openFd = promisify(open)
const closeFd = promisify(close)
const fstatFd = promisify(fstat)
const statPath = promisify(stat)
const truncateFd = promisify(ftruncate)
const writeFd = promisify(write)
const readFd = promisify(read)

export const LOCK_NAME = 'lock'
/** From <sys/file.h>: exclusive, and don't wait. The same on Linux, macOS and the BSDs. */
const LOCK_EX_NB = 2 | 4
/** EWOULDBLOCK on Linux, and on macOS and the BSDs. */
const WOULD_BLOCK = new Set([11, 35])
const EINTR = 4
/** A waiting worker takes over within a quarter of a second of the other's end. */
const DEFAULT_RETRY_MS = 250

export interface SessionLock {
  readonly dir: string
  /** Gives the lock back. May be called twice. */
  release(): Promise<void>
}

export interface LockOptions {
  readonly dir: string
  /** How long to wait for another holder; 0 tries once. */
  readonly waitMs: number
  readonly retryMs?: number
  readonly signal?: AbortSignal
  readonly clock?: Clock
  /** false: a directory that is not there is session_not_found instead of being made. */
  readonly create?: boolean
}

type Flock = (fd: number) => { readonly ok: true } | { readonly ok: false; readonly errno: number }

let flockPromise: Promise<Flock> | undefined

/** koffi is loaded with the first lock, once. */
function loadFlock(): Promise<Flock> {
  flockPromise ??= import('koffi').then(({ default: koffi }) => {
    const flock = koffi.load(null).func('int flock(int, int)') as (fd: number, operation: number) => number
    return (fd) => (flock(fd, LOCK_EX_NB) === 0 ? { ok: true } : { ok: false, errno: koffi.errno() })
  })
  return flockPromise
}

/**
 * Takes the lock of a session directory, making the directory (0700) if it isn't there. Take it before anything in
 * the directory is read. Rejects with session_locked (details: holderPid, waitedMs) when the other holder is still
 * there after `waitMs`, with the signal's reason when aborted, with storage_* when the file can't be opened.
 */
export async function lockSession(options: LockOptions): Promise<SessionLock> {
  const { dir, waitMs, retryMs = DEFAULT_RETRY_MS, signal, create = true, clock = systemClock } = options
  const flock = await loadFlock()
  const startedAtMs = clock.monotonicMs()
  for (;;) {
    signal?.throwIfAborted()
    const attempt = await tryLock(dir, flock, create, clock)
    if (attempt.kind === 'held') return attempt.lock
    const waitedMs = Math.round(clock.monotonicMs() - startedAtMs)
    if (attempt.kind === 'busy' && waitedMs >= waitMs) {
      const holder = attempt.holderPid === undefined ? 'another process' : `process ${attempt.holderPid}`
      throw new SessionError(
        'session_locked',
        `${dir} is in use by ${holder}, waited ${waitedMs} ms. Stop the account there first.`,
        { dir, holderPid: attempt.holderPid, waitedMs },
      )
    }
    if (attempt.kind === 'busy') await pause(clock, Math.min(retryMs, waitMs - waitedMs), signal)
  }
}

function pause(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    const abort = (): void => {
      timer.cancel()
      reject(signal?.reason as Error)
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}

type Attempt =
  | { readonly kind: 'held'; readonly lock: SessionLock }
  | { readonly kind: 'busy'; readonly holderPid: number | undefined }
  /** The directory was moved away between the opening and the locking. */
  | { readonly kind: 'moved' }

async function tryLock(dir: string, flock: Flock, create: boolean, clock: Clock): Promise<Attempt> {
  const path = join(dir, LOCK_NAME)
  const fd = await openLockFile(dir, path, create)
  let kept = false
  try {
    let result = flock(fd)
    while (!result.ok && result.errno === EINTR) result = flock(fd)
    if (!result.ok) {
      if (WOULD_BLOCK.has(result.errno)) return { kind: 'busy', holderPid: await readHolder(fd) }
      throw new SessionError('storage_failed', `Could not lock ${path}: errno ${result.errno}.`, {
        file: path,
        errno: String(result.errno),
      })
    }
    if (!(await leadsTo(path, fd))) return { kind: 'moved' }
    const holder = Buffer.from(JSON.stringify({ pid: process.pid, startedAtMs: clock.nowMs() }) + '\n')
    // Only a name for people: a full disk must not stop an account that can still read.
    await truncateFd(fd, 0)
      .then(() => writeFd(fd, holder, 0, holder.length, 0))
      .catch(() => undefined)
    kept = true
    let releasing: Promise<void> | undefined
    return { kind: 'held', lock: { dir, release: () => (releasing ??= closeFd(fd)) } }
  } finally {
    if (!kept) await closeFd(fd)
  }
}

async function openLockFile(dir: string, path: string, create: boolean): Promise<number> {
  try {
    return await openFd(path, 'a+', 0o600)
  } catch (error) {
    // Without its directory the lock file can't be made: ENOENT is about the directory.
    if (!isAbsent(error)) throw storageError(error, 'open the lock', path)
    if (!create) throw new SessionError('session_not_found', `There is no session in ${dir}.`, { dir })
  }
  try {
    await nodeFs.makeDir(dir)
    await nodeFs.syncDir(dirname(dir))
    return await openFd(path, 'a+', 0o600)
  } catch (error) {
    throw storageError(error, 'make the lock', path)
  }
}

async function leadsTo(path: string, fd: number): Promise<boolean> {
  try {
    const [named, held] = await Promise.all([statPath(path), fstatFd(fd)])
    return named.ino === held.ino && named.dev === held.dev
  } catch (error) {
    if (isAbsent(error)) return false
    throw storageError(error, 'look at the lock', path)
  }
}

/** The pid in the file, if it is one; the file may be empty or being written. */
async function readHolder(fd: number): Promise<number | undefined> {
  const { bytesRead, buffer } = await readFd(fd, Buffer.alloc(256), 0, 256, 0)
  const match = /"pid":(\d+)/.exec(buffer.toString('latin1', 0, bytesRead))
  return match === null ? undefined : Number(match[1])
}
