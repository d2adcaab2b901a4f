import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { AccessTokens, Role } from '../access/access-tokens.ts'
import { keyOf, type Logins } from '../access/logins.ts'

/**
 * Who may ask: a program with `Authorization: Bearer TOKEN`, or a page with the cookie of a login. The cookie is HttpOnly
 * and SameSite=Strict, and a changing request that comes with it must come from our own page as well.
 */
export const SESSION_COOKIE = 'wa_session'
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
  logins: Logins
  /** Epoch ms. */
  nowMs: () => number
}

export class Auth {
  readonly #options: AuthOptions
  readonly #adminHash: Buffer
  readonly #viewerHash: Buffer | undefined
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
    const login = this.#options.logins.get(key)
    if (login === undefined) return undefined
    const principal = { role: login.role, tokenId: login.tokenId, login: key }
    return this.isValid(principal) ? principal : undefined
  }

  /** Whether somebody who was let in still is: asked again of whoever stays connected. */
  isValid({ tokenId, login }: Principal): boolean {
    if (tokenId !== null && !this.#options.tokens.has(tokenId)) return false
    return login === null || this.#options.logins.get(login) !== undefined
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

  /** Resolves with the value of the session cookie, and how long it lives in seconds. */
  createLogin({ role, tokenId }: Principal): Promise<{ value: string; maxAgeS: number }> {
    return this.#options.logins.create(role, tokenId)
  }

  async endLogin(value: string): Promise<void> {
    await this.#options.logins.end(keyOf(value))
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
