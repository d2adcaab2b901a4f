import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { AppError, errnoOf, messageOf } from '../../../shared/errors.ts'
import { iso } from '../../views/iso.ts'
import { checkedId } from '../checked-id.ts'
import { AccountParams, answers } from '../schemas/common.ts'
import { HistoryQuery, Pictures, Transitions, TransitionsQuery } from '../schemas/history.ts'
import type { HttpDeps } from '../server.ts'

/** What was, for strips, charts and an account's page. */
export function historyRoutes({ history, views: { registry } }: HttpDeps): FastifyPluginAsyncTypebox {
  const tags = ['history']
  const config = { access: 'viewer' } as const
  return async (app) => {
    app.get(
      '/api/whatsapp/history',
      {
        config,
        schema: {
          summary: 'The last hours as pictures',
          description:
            'A strip of each account and two series of the fleet, in 288 slots; a slot of a strip shows the worst state in it.',
          tags,
          querystring: HistoryQuery,
          response: answers(Pictures),
        },
      },
      async (request) => {
        const { fromMs, toMs, accounts, series } = history.pictures(request.query.hours ?? 24)
        return {
          success: true as const,
          from: iso(fromMs),
          to: iso(toMs),
          accounts: accounts.map(({ accountId, segments }) => ({
            accountId,
            segments: segments.map(({ fromMs: beganMs, status, reason }) => ({ from: iso(beganMs), status, reason })),
          })),
          connected: series.map(({ atMs, count }) => ({ at: iso(atMs), count })),
          messages: series.map(({ atMs, in: received, out }) => ({ at: iso(atMs), in: received, out })),
        }
      },
    )

    app.get(
      '/api/whatsapp/accounts/:accountId/history',
      {
        config,
        schema: {
          summary: 'What an account went through, newest first',
          description: 'Up to 30 days back. Ask again with `before` = `next` for what is older.',
          tags,
          params: AccountParams,
          querystring: TransitionsQuery,
          response: answers(Transitions),
        },
      },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        if (registry.get(accountId) === undefined) {
          throw new AppError('account_not_found', `There is no account "${accountId}".`)
        }
        const { limit = 100, before } = request.query
        const beforeMs = before === undefined ? Infinity : Date.parse(before)
        if (Number.isNaN(beforeMs)) {
          throw new AppError('bad_request', `before is "${before}": write it as an answer's \`next\`, in ISO 8601.`)
        }
        const { transitions, nextMs } = await history.of(accountId, beforeMs, limit).catch((error: unknown) => {
          throw new AppError(
            'storage_unavailable',
            `The history can't be read (${errnoOf(error) ?? messageOf(error)}). Look at the disk.`,
          )
        })
        return {
          success: true as const,
          transitions: transitions.map(({ atMs, ...rest }) => ({ at: iso(atMs), ...rest })),
          next: iso(nextMs),
        }
      },
    )
  }
}
