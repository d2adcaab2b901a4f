import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { AppError } from '../../../shared/errors.ts'
import { assertOwnPage, SESSION_COOKIE, type Auth } from '../auth.ts'
import { LoginBody } from '../schemas.ts'

const Success = Type.Object({ success: Type.Literal(true) })

/** The dashboard's login: the token, or the code of the address that the terminal printed, becomes a cookie. */
export function loginRoutes(auth: Auth): FastifyPluginAsyncTypebox {
  return async (app) => {
    const countFailure = app.createRateLimit({ max: 10, timeWindow: '1 minute' })

    app.post('/api/login', { schema: { body: LoginBody, response: { 200: Success } } }, async (request, reply) => {
      assertOwnPage(request)
      const { token, code } = request.body
      const welcome = (token !== undefined && auth.isToken(token)) || (code !== undefined && auth.redeemLoginCode(code))
      if (!welcome) {
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
      const { value, maxAgeS } = auth.createSession()
      // Behind a proxy with TLS the browser says so itself; to be wrong can only make the cookie stricter.
      const secure = request.headers.origin?.startsWith('https:') === true
      reply.setCookie(SESSION_COOKIE, value, { path: '/', httpOnly: true, sameSite: 'strict', secure, maxAge: maxAgeS })
      return { success: true as const }
    })

    app.post('/api/logout', { schema: { response: { 200: Success } } }, async (request, reply) => {
      assertOwnPage(request)
      const cookie = request.cookies[SESSION_COOKIE]
      if (cookie !== undefined) auth.endSession(cookie)
      reply.clearCookie(SESSION_COOKIE, { path: '/' })
      return { success: true as const }
    })
  }
}
