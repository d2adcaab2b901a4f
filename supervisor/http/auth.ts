import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../../shared/errors.ts'

/**
 * Who may ask: a program with `Authorization: Bearer ADMIN_TOKEN`, or a page with the cookie of a login. The cookie is
 * HttpOnly and SameSite=Strict, and a changing request that comes with it must come from our own page as well.
 */
export const SESSION_COOKIE = 'wa_session'
/** A working day and the night after it. */
const SESSION_LIFETIME_MS = 24 * 3600_000
/** More browsers than a team has: the oldest login goes first. */
const MOST_SESSIONS = 100
/** The address that the terminal prints is opened at once or not at all. */
const LOGIN_CODE_LIFETIME_MS = 15 * 60_000

export class Auth {
  readonly #tokenHash: Buffer
  readonly #nowMs: () => number
  /** Hash of the cookie's value -> end of the login, epoch ms. */
  readonly #sessions = new Map<string, number>()
  #loginCode: { hash: Buffer; untilMs: number } | undefined

  constructor(token: string, nowMs: () => number) {
    this.#tokenHash = sha256(token)
    this.#nowMs = nowMs
  }

  isToken(candidate: string): boolean {
    return timingSafeEqual(sha256(candidate), this.#tokenHash)
  }

  /** A code that opens the dashboard once, for the terminal to print. */
  issueLoginCode(): string {
    const code = randomBytes(24).toString('base64url')
    this.#loginCode = { hash: sha256(code), untilMs: this.#nowMs() + LOGIN_CODE_LIFETIME_MS }
    return code
  }

  /** Whether `code` is the one that was printed; it is then used up. */
  redeemLoginCode(code: string): boolean {
    const known = this.#loginCode
    if (known === undefined || this.#nowMs() > known.untilMs || !timingSafeEqual(sha256(code), known.hash)) return false
    this.#loginCode = undefined
    return true
  }

  /** @returns the value of the session cookie, and how long it lives in seconds */
  createSession(): { value: string; maxAgeS: number } {
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size >= MOST_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest)
    const value = randomBytes(32).toString('base64url')
    this.#sessions.set(sha256(value).toString('hex'), this.#nowMs() + SESSION_LIFETIME_MS)
    return { value, maxAgeS: SESSION_LIFETIME_MS / 1000 }
  }

  hasSession(value: string): boolean {
    const key = sha256(value).toString('hex')
    const untilMs = this.#sessions.get(key)
    if (untilMs !== undefined && untilMs > this.#nowMs()) return true
    this.#sessions.delete(key)
    return false
  }

  endSession(value: string): void {
    this.#sessions.delete(sha256(value).toString('hex'))
  }
}

/**
 * Guards a scope of routes. Wrong tokens are counted per address; right ones never are, so that a stranger behind the
 * same proxy can't lock the operator out.
 */
export async function requireAuth(app: FastifyInstance, auth: Auth): Promise<void> {
  const countFailure = app.createRateLimit({ max: 30, timeWindow: '1 minute' })
  app.addHook('onRequest', async (request) => {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]?.trim()
    if (bearer !== undefined && auth.isToken(bearer)) return
    const cookie = request.cookies[SESSION_COOKIE]
    if (bearer === undefined && cookie !== undefined && auth.hasSession(cookie)) return assertOwnPage(request)
    const count = await countFailure(request)
    if (!count.isAllowed && count.isExceeded) {
      throw new AppError('too_many_requests', 'Too many wrong tokens from this address. Wait a minute.')
    }
    throw new AppError(
      'unauthorized',
      bearer === undefined && cookie === undefined
        ? 'Send the header "Authorization: Bearer ADMIN_TOKEN".'
        : 'The token or login is not valid (any more).',
    )
  })
}

/** A page of another site can make a browser send requests, but not with these headers. */
export function assertOwnPage(request: FastifyRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD') return
  const site = request.headers['sec-fetch-site']
  const { origin } = request.headers
  const own =
    site === undefined ? origin === undefined || hostOf(origin) === request.headers.host : site === 'same-origin'
  if (!own) throw new AppError('forbidden', 'This request does not come from the dashboard itself.')
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
