import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AppError } from '../../shared/errors.ts'
import { SESSION_COOKIE, type Auth, type Principal } from './auth.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use a guarded route: admins alone, unless it says so. */
    access?: 'viewer'
  }
}

const principals = new WeakMap<FastifyRequest, Principal>()

/** Who asks. Only for routes behind the guard. */
export function principalOf(request: FastifyRequest): Principal {
  const principal = principals.get(request)
  if (principal === undefined) throw new Error(`${request.routeOptions.url} is not behind the guard`)
  return principal
}

/**
 * Guards a scope of routes. Wrong tokens are counted per address; right ones never are, so that a stranger behind the
 * same proxy can't lock the operator out. The count spares the log and tells whoever mistypes; it does not stop guessing,
 * since the right token passes however many wrong ones came before. What does is the length that parseAccess demands of
 * ADMIN_TOKEN wherever others can reach the service, and that every other token and login has anyway.
 */
export async function guard(app: FastifyInstance, auth: Auth): Promise<void> {
  const countFailure = app.createRateLimit({ max: 30, timeWindow: '1 minute' })
  app.addHook('onRequest', async (request) => {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]?.trim()
    const cookie = request.cookies[SESSION_COOKIE]
    const principal =
      bearer !== undefined ? auth.byToken(bearer) : cookie !== undefined ? auth.byCookie(cookie) : undefined
    if (principal !== undefined) {
      if (principal.login !== null) assertOwnPage(request)
      principals.set(request, principal)
      return assertMay(principal, request)
    }
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

function assertMay({ role }: Principal, request: FastifyRequest): void {
  if (role === 'admin' || request.routeOptions.config.access === 'viewer') return
  throw new AppError('forbidden', 'This token may only look (role "viewer"): use one of an admin for this.')
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
