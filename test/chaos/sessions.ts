import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { SET_ASIDE_DIR } from '../../shared/session/set-aside.ts'
import { readStoredSession } from '../../worker/session/stored-session.ts'

/** A digest of what makes the session this device's own: a new pairing changes all of it. Null where it can't be read. */
export function identityOf(sessionsPath: string, accountId: string): string | null {
  try {
    const creds = JSON.parse(readFileSync(join(sessionsPath, accountId, 'creds.json'), 'utf8')) as Record<
      string,
      unknown
    >
    const own = [creds['registrationId'], creds['signedIdentityKey'], (creds['me'] as { id?: string } | undefined)?.id]
    if (own.includes(undefined)) return null
    return createHash('sha256').update(JSON.stringify(own)).digest('hex')
  } catch {
    return null
  }
}

/** Names of the account's sessions that were set aside. */
export function setAsideOf(sessionsPath: string, accountId: string): string[] {
  try {
    return readdirSync(join(sessionsPath, SET_ASIDE_DIR)).filter((name) => name.startsWith(`${accountId}-`))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

/** Reads all of a session and verifies every checksum, as `npm run session -- check` does. Null when it is whole. */
export async function damageOf(sessionsPath: string, accountId: string): Promise<string | null> {
  try {
    const stored = await readStoredSession(join(sessionsPath, accountId))
    try {
      for await (const entry of stored.entries()) JSON.parse(entry.value.toString('utf8'))
    } finally {
      await stored.close()
    }
    return null
  } catch (error) {
    return messageOf(error)
  }
}
