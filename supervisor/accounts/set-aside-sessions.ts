import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errors.ts'
import { SET_ASIDE_DIR } from '../../shared/session/set-aside.ts'
import { parseSetAsideName, PURGING, type SetAsideName } from '../../shared/session/set-aside-name.ts'
import { identityIn } from './discover.ts'

/** A session that was set aside, as it can be put back. */
export interface SetAsideSession extends SetAsideName {
  /** E.164, as its own copy of the creds says; null when that can't be read. */
  readonly phone: string | null
  /** The name that the phone's owner gave himself. */
  readonly ownerName: string | null
}

/**
 * What was set aside, newest first and stable. What is being deleted, and what this service did not put there, is none of
 * it. Rejects with the system's error when the directory can't be read.
 */
export async function listSetAside(sessionsPath: string): Promise<(SetAsideSession & { sizeBytes: number })[]> {
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  const names = await readdir(aside).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  const found: (SetAsideSession & { sizeBytes: number })[] = []
  for (const name of names) {
    const session = await findSetAside(sessionsPath, name)
    if (session !== undefined) found.push({ ...session, sizeBytes: await sizeOf(join(aside, name)) })
  }
  return found.sort((a, b) => b.setAsideAtMs - a.setAsideAtMs || (a.id < b.id ? -1 : 1))
}

/** One of them by its id; undefined when there is none that could be put back. */
export async function findSetAside(sessionsPath: string, id: string): Promise<SetAsideSession | undefined> {
  const parsed = parseSetAsideName(id)
  if (parsed === undefined || parsed.reason === PURGING) return undefined
  const dir = join(sessionsPath, SET_ASIDE_DIR, id)
  const stat = await lstat(dir).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (!stat?.isDirectory()) return undefined
  const { phone, name } = await identityIn(join(dir, 'creds.json'))
  return { ...parsed, phone, ownerName: name }
}

/** Of all files below; what disappears meanwhile counts nothing. Links are not followed. */
async function sizeOf(dir: string): Promise<number> {
  let sizeBytes = 0
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) sizeBytes += await sizeOf(path)
    else if (entry.isFile()) sizeBytes += (await lstat(path).catch(() => undefined))?.size ?? 0
  }
  return sizeBytes
}
