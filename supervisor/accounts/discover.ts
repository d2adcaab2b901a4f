import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isAccountId } from '../../shared/account-id.ts'
import { savedAtOf } from '../../shared/session/restore-file.ts'
import { errnoOf } from '../../shared/errors.ts'
import { phoneOfJid } from '../../shared/phone.ts'

/** A session on the disk, whoever put it there: this service, its predecessor, or any program that uses Baileys. */
export interface FoundSession {
  accountId: string
  /** E.164, as the session's own creds say; null when they don't, or can't be read. */
  phone: string | null
  /** The name that the phone's owner gave himself. */
  name: string | null
}

/**
 * The session directories below `sessionsPath`: every directory whose name can be an account id and that holds a log or
 * anything of Baileys' multi-file layout. What can't be read is still found: its worker says what is wrong with it.
 */
export async function findSessions(sessionsPath: string): Promise<FoundSession[]> {
  const entries = await readdir(sessionsPath, { withFileTypes: true })
  const found: FoundSession[] = []
  for (const entry of entries) {
    if (!entry.isDirectory() || !isAccountId(entry.name)) continue
    const dir = join(sessionsPath, entry.name)
    const files = await readdir(dir).catch(() => undefined)
    if (files !== undefined && !files.some(isSessionFile)) continue
    found.push({ accountId: entry.name, ...(await identityIn(join(dir, 'creds.json'))) })
  }
  return found.sort((a, b) => (a.accountId < b.accountId ? -1 : 1))
}

/** Whether the account's directory holds anything of a session, whole or not, a backup that waits included. */
export async function hasSession(sessionsPath: string, accountId: string): Promise<boolean> {
  try {
    return (await readdir(join(sessionsPath, accountId))).some(isSessionFile)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

function isSessionFile(name: string): boolean {
  return (
    name === 'session.log' ||
    name === 'session.log.prev' ||
    name === 'session.ack' ||
    name === 'creds.json' ||
    savedAtOf(name) !== undefined ||
    /^(session|pre-key)-.+\.json$/.test(name)
  )
}

/** Whose session it is, as its copy of the creds says: for people; nulls where that can't be read. */
export async function identityIn(credsPath: string): Promise<{ phone: string | null; name: string | null }> {
  try {
    const creds: unknown = JSON.parse(await readFile(credsPath, 'utf8'))
    const me = typeof creds === 'object' && creds !== null && 'me' in creds ? creds.me : undefined
    if (typeof me !== 'object' || me === null) return { phone: null, name: null }
    const id = 'id' in me && typeof me.id === 'string' ? me.id : ''
    const name = 'name' in me && typeof me.name === 'string' && me.name !== '~' ? me.name : null
    return { phone: phoneOfJid(id) ?? null, name }
  } catch {
    // Only a hint for people. Whether the session is whole is for its worker to judge, which has the lock.
    return { phone: null, name: null }
  }
}
