import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { AccessTokens, Role } from '../access/access-tokens.ts'

/**
 * Who may ask: a program with `Authorization: Bearer TOKEN`, or a page with the cookie of a login. The cookie is HttpOnly
 * and SameSite=Strict, and a changing request that comes with it must come from our own page as well.
 */
export const SESSION_COOKIE = 'wa_session'
/** A working day and the night after it. */
const SESSION_LIFETIME_MS = 24 * 3600_000
/** More browsers than a team has: the oldest login goes first. */
const MOST_SESSIONS = 100
/** The address that the terminal prints is opened at once or not at all. */
const LOGIN_CODE_LIFETIME_MS = 15 * 60_000

/** Somebody who was let in. */
export interface Principal {
  role: Role
  /** Of an access token that can be revoked; null: ADMIN_TOKEN, VIEWER_TOKEN or the terminal's code. */
  tokenId: string | null
  /** Key of the login, where it came with a cookie. */
  login: string | null
}

export interface AuthOptions {
  adminToken: string
  /** VIEWER_TOKEN. */
  viewerToken: string | undefined
  tokens: AccessTokens
  /** Epoch ms. */
  nowMs: () => number
}

interface Login {
  untilMs: number
  role: Role
  tokenId: string | null
}

export class Auth {
  readonly #options: AuthOptions
  readonly #adminHash: Buffer
  readonly #viewerHash: Buffer | undefined
  /** Hash of the cookie's value -> the login. */
  readonly #logins = new Map<string, Login>()
  #loginCode: { hash: Buffer; untilMs: number } | undefined

  constructor(options: AuthOptions) {
    this.#options = options
    this.#adminHash = sha256(options.adminToken)
    this.#viewerHash = options.viewerToken === undefined ? undefined : sha256(options.viewerToken)
  }

  /** Undefined where it is no token of ours (any more). */
  byToken(candidate: string): Principal | undefined {
    const hash = sha256(candidate)
    if (timingSafeEqual(hash, this.#adminHash)) return { role: 'admin', tokenId: null, login: null }
    if (this.#viewerHash !== undefined && timingSafeEqual(hash, this.#viewerHash)) {
      return { role: 'viewer', tokenId: null, login: null }
    }
    const known = this.#options.tokens.find(candidate)
    return known === undefined ? undefined : { role: known.role, tokenId: known.id, login: null }
  }

  /** Undefined where the login is over, or its token was revoked. */
  byCookie(value: string): Principal | undefined {
    const key = keyOf(value)
    const login = this.#logins.get(key)
    if (login === undefined) return undefined
    const principal = { role: login.role, tokenId: login.tokenId, login: key }
    if (this.isValid(principal)) return principal
    this.#logins.delete(key)
    return undefined
  }

  /** Whether somebody who was let in still is: asked again of whoever stays connected. */
  isValid({ tokenId, login }: Principal): boolean {
    if (tokenId !== null && !this.#options.tokens.has(tokenId)) return false
    return login === null || (this.#logins.get(login)?.untilMs ?? 0) > this.#options.nowMs()
  }

  /** A code that opens the dashboard once, for the terminal to print. */
  issueLoginCode(): string {
    const code = randomBytes(24).toString('base64url')
    this.#loginCode = { hash: sha256(code), untilMs: this.#options.nowMs() + LOGIN_CODE_LIFETIME_MS }
    return code
  }

  /** The operator, where `code` is the one that was printed; it is then used up. */
  redeemLoginCode(code: string): Principal | undefined {
    const known = this.#loginCode
    const isRight = known !== undefined && timingSafeEqual(sha256(code), known.hash)
    if (!isRight || this.#options.nowMs() > known.untilMs) return undefined
    this.#loginCode = undefined
    return { role: 'admin', tokenId: null, login: null }
  }

  /** @returns the value of the session cookie, and how long it lives in seconds */
  createLogin({ role, tokenId }: Principal): { value: string; maxAgeS: number } {
    const [oldest] = this.#logins.keys()
    if (this.#logins.size >= MOST_SESSIONS && oldest !== undefined) this.#logins.delete(oldest)
    const value = randomBytes(32).toString('base64url')
    this.#logins.set(keyOf(value), { untilMs: this.#options.nowMs() + SESSION_LIFETIME_MS, role, tokenId })
    return { value, maxAgeS: SESSION_LIFETIME_MS / 1000 }
  }

  endLogin(value: string): void {
    this.#logins.delete(keyOf(value))
  }
}

function keyOf(cookie: string): string {
  return sha256(cookie).toString('hex')
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
