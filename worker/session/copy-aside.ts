import { join } from 'node:path'
import { errnoOf } from '../../shared/errors.ts'
import { SessionError, storageError } from '../../shared/session/session-error.ts'
import { writeFully, type SessionFs } from '../../shared/session/session-fs.ts'
import { freeNameAside, SET_ASIDE_DIR } from '../../shared/session/set-aside.ts'
import { COPYING_PREFIX } from '../../shared/session/set-aside-name.ts'
import { LOG_NAME, PREVIOUS_LOG_NAME } from './log-file.ts'

/**
 * Files that are never written again under their name, only replaced: a second name for them is as good as a copy.
 * Anything else (session.ack, the lock, a temporary log that the next one is written over) would change with it.
 */
function isReplacedWhole(name: string): boolean {
  return name === LOG_NAME || name === PREVIOUS_LOG_NAME || name.endsWith('.json')
}

/** What says that a filesystem has no (more) hard links; then a copy does as well. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EXDEV'])

export interface CopyAsideOptions {
  readonly sessionsPath: string
  readonly accountId: string
  readonly reason: string
  readonly nowMs: number
  readonly fs: SessionFs
}

/**
 * Keeps everything that is in an account's directory now, byte for byte, under .set-aside, while the directory stays.
 * By hard links where there are some: a log is never written again once another took its name. The caller holds the
 * directory's lock. Resolves with the new path when all of it is durable; a crash before leaves a name that nobody takes
 * for a session. Rejects with storage_*, or recovery_refused for what can't be copied.
 */
export async function copyAside(options: CopyAsideOptions): Promise<string> {
  const { sessionsPath, accountId, reason, nowMs, fs } = options
  const source = join(sessionsPath, accountId)
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  try {
    await fs.makeDir(aside)
    const name = await freeNameAside(fs, aside, accountId, reason, nowMs)
    const unfinished = join(aside, `${COPYING_PREFIX}${name}`)
    await copyTree(fs, source, unfinished)
    await fs.rename(unfinished, join(aside, name))
    await fs.syncDir(aside)
    await fs.syncDir(sessionsPath)
    return join(aside, name)
  } catch (error) {
    throw storageError(error, 'set aside a copy of', source)
  }
}

async function copyTree(fs: SessionFs, from: string, to: string): Promise<void> {
  await fs.makeDir(to)
  for (const { name, kind } of await fs.readDir(from)) {
    const source = join(from, name)
    const target = join(to, name)
    switch (kind) {
      case 'directory':
        await copyTree(fs, source, target)
        break
      case 'file':
        await copyFile(fs, source, target, isReplacedWhole(name))
        break
      case 'other':
        throw new SessionError(
          'recovery_refused',
          `${source} is neither a file nor a directory, and can't be set aside. Nothing was changed. Take it out first.`,
          { file: source },
        )
      default:
        kind satisfies never
    }
  }
  await fs.syncDir(to)
}

async function copyFile(fs: SessionFs, source: string, target: string, mayLink: boolean): Promise<void> {
  if (mayLink) {
    try {
      // A leftover of an earlier attempt in the same second is no obstacle: it is the same file.
      return await fs.link(source, target)
    } catch (error) {
      const errno = errnoOf(error) ?? ''
      if (errno !== 'EEXIST' && !NO_LINKS.has(errno)) throw error
    }
  }
  const bytes = await fs.readFile(source)
  // The copy may be a leftover link to the source itself: emptied, it would take the source with it.
  await fs.unlink(target).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
  const file = await fs.open(target, 'create')
  try {
    await writeFully(file, bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
}
