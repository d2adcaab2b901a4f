import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { writeFileAtomic } from '../../shared/atomic-file.ts'
import type { Clock } from '../../shared/clock.ts'
import { LATE, withDeadline } from '../../shared/deadline.ts'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { Role } from './access-tokens.ts'

/**
 * The logins of pages. They outlive the service: a page that is open, a wall screen above all, comes back by itself after
 * an update or a crash. On the disk stand hashes of the cookies; a login that could not be saved lasts until the service
 * ends.
 */
const StoredLogin = Type.Object({
  /** SHA-256 of the cookie's value, hex. */
  key: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** Epoch ms. */
  untilMs: Type.Number(),
  role: Type.Union([Type.Literal('admin'), Type.Literal('viewer')]),
  /** Of an access token; null: ADMIN_TOKEN, VIEWER_TOKEN or the terminal's code. */
  tokenId: Type.Union([Type.String(), Type.Null()]),
})
type StoredLogin = Static<typeof StoredLogin>
const file = Compile(Type.Object({ madeWith: Type.String(), logins: Type.Array(StoredLogin) }))

export const LOGINS_FILE = 'logins.json'
/** A working day and the night after it. */
const ADMIN_LIFETIME_MS = 24 * 3600_000
/** Nobody goes to a wall screen every morning. */
const VIEWER_LIFETIME_MS = 30 * 24 * 3600_000
/** Of each role; more browsers than a team has. The oldest login goes first: a viewer's never takes an admin's place. */
const MOST_LOGINS = 100

/** A disk that hangs keeps nobody out: the login counts in memory, and on the disk when that is back. */
const SAVE_DEADLINE_MS = 5000

export interface LoginsOptions {
  sessionsPath: string
  /** ADMIN_TOKEN and VIEWER_TOKEN: when one of them changes, no login that was made before is worth anything. */
  secrets: readonly (string | undefined)[]
  clock: Clock
  log: Log
}

export class Logins {
  readonly #options: LoginsOptions
  readonly #path: string
  readonly #madeWith: string
  /** By key, oldest first. */
  readonly #logins = new Map<string, StoredLogin>()
  #saving: Promise<void> = Promise.resolve()
  #isSaveDue = false

  constructor(options: LoginsOptions) {
    this.#options = options
    this.#path = join(options.sessionsPath, LOGINS_FILE)
    this.#madeWith = sha256(JSON.stringify(['logins', ...options.secrets]))
  }

  /** A file that can't be used costs a login, no more. */
  async load(): Promise<void> {
    const { log, clock } = this.#options
    try {
      const parsed: unknown = JSON.parse(await readFile(this.#path, 'utf8'))
      if (!file.Check(parsed)) throw new Error('it is not what this service writes')
      if (parsed.madeWith !== this.#madeWith) return
      for (const login of parsed.logins) if (login.untilMs > clock.nowMs()) this.#logins.set(login.key, login)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return
      const cause = errnoOf(error) ?? messageOf(error)
      log.warn({ event: 'access.logins_damaged', path: this.#path, cause }, 'Everybody has to log in again')
    }
  }

  /**
   * Resolves when the login is on the disk, or could not be brought there: with the value of the session cookie, and how
   * long it lives in seconds.
   */
  async create(role: Role, tokenId: string | null): Promise<{ value: string; maxAgeS: number }> {
    this.#makeRoom(role)
    const value = randomBytes(32).toString('base64url')
    const lifetimeMs = role === 'viewer' ? VIEWER_LIFETIME_MS : ADMIN_LIFETIME_MS
    const key = keyOf(value)
    this.#logins.set(key, { key, untilMs: this.#options.clock.nowMs() + lifetimeMs, role, tokenId })
    await this.#saveInTime()
    return { value, maxAgeS: lifetimeMs / 1000 }
  }

  #makeRoom(role: Role): void {
    const nowMs = this.#options.clock.nowMs()
    for (const { key, untilMs } of [...this.#logins.values()]) if (untilMs <= nowMs) this.#logins.delete(key)
    const ofRole = [...this.#logins.values()].filter((login) => login.role === role)
    for (const { key } of ofRole.slice(0, Math.max(0, ofRole.length - MOST_LOGINS + 1))) this.#logins.delete(key)
  }

  get(key: string): Pick<StoredLogin, 'role' | 'tokenId'> | undefined {
    const login = this.#logins.get(key)
    return login !== undefined && login.untilMs > this.#options.clock.nowMs() ? login : undefined
  }

  /** Resolves when it is gone from the disk as well, or could not be taken away there. */
  async end(key: string): Promise<void> {
    if (this.#logins.delete(key)) await this.#saveInTime()
  }

  async #saveInTime(): Promise<void> {
    const { clock, log } = this.#options
    if ((await withDeadline(this.#save(), SAVE_DEADLINE_MS, clock)) !== LATE) return
    log.warn({ event: 'access.logins_not_saved', cause: 'the disk does not answer' }, 'Logins may end with the service')
  }

  /** Saves that are asked for while one is under way become one. */
  #save(): Promise<void> {
    if (this.#isSaveDue) return this.#saving
    this.#isSaveDue = true
    this.#saving = this.#saving.then(async () => {
      this.#isSaveDue = false
      const logins = [...this.#logins.values()]
      try {
        await writeFileAtomic(this.#path, `${JSON.stringify({ madeWith: this.#madeWith, logins })}\n`)
      } catch (error) {
        const cause = errnoOf(error) ?? messageOf(error)
        this.#options.log.warn({ event: 'access.logins_not_saved', cause }, 'Logins end with the service')
      }
    })
    return this.#saving
  }
}

export function keyOf(cookie: string): string {
  return sha256(cookie)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
