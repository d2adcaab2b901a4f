import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { AppError } from '../../../shared/errors.ts'
import { SESSION_COOKIE } from '../auth.ts'
import { assertOwnPage } from '../guard.ts'
import { LoginBody } from '../schemas/access.ts'
import { answers, Success } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'

/** The dashboard's login: a token, or the code of the address that the terminal printed, becomes a cookie. */
export function loginRoutes({ auth, streams }: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    // As in the guard: the right token passes whatever the count is.
    const countFailure = app.createRateLimit({ max: 10, timeWindow: '1 minute' })

    app.post(
      '/api/login',
      {
        schema: {
          summary: 'Log a browser in',
          description:
            "Sets an HttpOnly cookie, for a day, a viewer's for thirty. Programs send their token with each request instead.",
          tags: ['access'],
          security: [],
          body: LoginBody,
          response: answers(Success),
        },
      },
      async (request, reply) => {
        assertOwnPage(request)
        const { token, code } = request.body
        const principal =
          (token === undefined ? undefined : auth.byToken(token)) ??
          (code === undefined ? undefined : auth.redeemLoginCode(code))
        if (principal === undefined) {
          const count = await countFailure(request)
          if (!count.isAllowed && count.isExceeded) {
            throw new AppError('too_many_requests', 'Too many wrong tokens from this address. Wait a minute.')
          }
          throw new AppError(
            'unauthorized',
            code === undefined
              ? 'The token is wrong.'
              : 'This address was used before or is too old: log in with the token.',
          )
        }
        const { value, maxAgeS } = await auth.createLogin(principal)
        // Behind a proxy with TLS the browser says so itself; to be wrong can only make the cookie stricter.
        const secure = request.headers.origin?.startsWith('https:') === true
        const cookie = { path: '/', httpOnly: true, sameSite: 'strict', secure, maxAge: maxAgeS } as const
        reply.setCookie(SESSION_COOKIE, value, cookie)
        return { success: true as const }
      },
    )

    app.post(
      '/api/logout',
      {
        schema: {
          summary: 'End the login of this browser',
          tags: ['access'],
          security: [],
          response: answers(Success),
        },
      },
      async (request, reply) => {
        assertOwnPage(request)
        const cookie = request.cookies[SESSION_COOKIE]
        if (cookie !== undefined) await auth.endLogin(cookie)
        streams.endInvalid()
        reply.clearCookie(SESSION_COOKIE, { path: '/' })
        return { success: true as const }
      },
    )
  }
}
