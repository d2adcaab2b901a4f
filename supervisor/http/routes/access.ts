import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { iso } from '../../views/iso.ts'
import { principalOf } from '../guard.ts'
import { Me, NewToken, NewTokenBody, TokenList, TokenParams } from '../schemas/access.ts'
import { answers, Success } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'

/** Who one is, and tokens for others. */
export function accessRoutes({ tokens, streams, views, log }: HttpDeps): FastifyPluginAsyncTypebox {
  const tags = ['access']
  return async (app) => {
    app.get(
      '/api/me',
      { config: { access: 'viewer' }, schema: { summary: 'What may this token do?', tags, response: answers(Me) } },
      async (request) => ({ success: true as const, role: principalOf(request).role }),
    )

    app.get(
      '/api/tokens',
      { schema: { summary: 'All access tokens', tags, response: answers(TokenList) } },
      async () => ({
        success: true as const,
        tokens: tokens.list,
      }),
    )

    app.post(
      '/api/tokens',
      {
        schema: {
          summary: 'Make an access token',
          description: 'For a program, a person or a wall screen. It is shown this once; only its hash is kept.',
          tags,
          body: NewTokenBody,
          response: answers(NewToken),
        },
      },
      async (request) => {
        const { name, role } = request.body
        const made = await tokens.create(name.trim(), role, iso(views.clock.nowMs()))
        log.info({ event: 'access.granted', tokenId: made.id, role }, 'An access token was made')
        return { success: true as const, ...made }
      },
    )

    app.delete(
      '/api/tokens/:id',
      {
        schema: {
          summary: 'Revoke an access token',
          description: 'At once: its logins and event streams end as well.',
          tags,
          params: TokenParams,
          response: answers(Success),
        },
      },
      async (request) => {
        const { id } = request.params
        await tokens.revoke(id)
        log.info({ event: 'access.revoked', tokenId: id }, 'An access token was revoked')
        streams.endInvalid()
        return { success: true as const }
      },
    )
  }
}
