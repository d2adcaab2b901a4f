import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { AppError } from '../../../shared/errors.ts'
import { checkedId } from '../checked-id.ts'
import { principalOf } from '../guard.ts'
import { EventsQuery } from '../schemas/accounts.ts'
import { ErrorBody } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'

const DESCRIPTION = `Server-Sent Events; each has an \`id\` (\`boot-number\`), and its data is JSON. Send the last one as
\`Last-Event-ID\` and what came after it follows; where that is not known any more a \`snapshot\` comes instead.

- \`snapshot\`: the body of \`GET /api/status/dashboard\`, without QR codes
- \`account.status\` \`{account}\`: at once, for every change of what a person would call a transition
- \`account.removed\` \`{accountId}\`
- \`account.qr\` \`{accountId, qrCode, expiresAt}\`: a PNG data URL or null; admins alone
- \`account.activity\` \`{accounts}\`: what moves all the time, of those that moved, every few seconds
- \`account.log\`: a line of the log of the account that \`logs\` names; admins alone
- \`fleet.event\`: service, storage, backups, trouble, actions and counts, when any of it changed
- \`boot.progress\`: how far a boot is; null when it is over

A comment every 15 s keeps proxies from closing it. A client that does not take what is sent is dropped.`

/** `GET /api/events`: everything that changes, as it changes. */
export function eventRoutes({ streams }: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('preClose', async () => streams.endAll())

    app.get(
      '/api/events',
      {
        // A stream without its body would only be a connection.
        exposeHeadRoute: false,
        config: { access: 'viewer' },
        schema: {
          summary: 'Follow the fleet live',
          description: DESCRIPTION,
          tags: ['status'],
          querystring: EventsQuery,
          response: {
            200: { description: 'The stream', content: { 'text/event-stream': { schema: Type.String() } } },
            '4xx': ErrorBody,
            '5xx': ErrorBody,
          },
        },
      },
      async (request, reply) => {
        const principal = principalOf(request)
        const logsOf = request.query.logs === undefined ? undefined : checkedId(request.query.logs)
        if (logsOf !== undefined && principal.role !== 'admin') {
          throw new AppError('forbidden', 'This token may only look (role "viewer"): it gets no log lines.')
        }
        const lastEventId = request.headers['last-event-id']
        streams.open(reply, {
          principal,
          logsOf,
          lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
        })
        return reply
      },
    )
  }
}
