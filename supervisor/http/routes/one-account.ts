import accepts from '@fastify/accepts'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { AppError } from '../../../shared/errors.ts'
import { REASONS } from '../../../shared/states.ts'
import type { Account } from '../../accounts/registry.ts'
import { accountView, livingQr } from '../../views/account-view.ts'
import { checkedId } from '../checked-id.ts'
import { lineView } from '../event-streams.ts'
import { principalOf } from '../guard.ts'
import { LogLines, LogsQuery, OneAccount, RenameBody } from '../schemas/accounts.ts'
import { AccountParams, answers, ErrorBody } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'
import { accountWithQr } from './status.ts'

/** QR codes by what the request accepts; the first is what is sent to whoever accepts anything. */
const FORMATS = { 'image/png': 'png', 'image/svg+xml': 'svg', 'text/plain': 'text' } as const

/** Bytes of a picture, or text: what goes over the line is no JSON. */
const QrBody = Type.Unsafe<string | Buffer>({ type: 'string' })

/** One account, looked at alone. */
export function oneAccountRoutes({ views, fleet, qr, logs }: HttpDeps): FastifyPluginAsyncTypebox {
  const { registry } = views
  const tags = ['accounts']
  const found = (text: string): Account => {
    const account = registry.get(checkedId(text))
    if (account === undefined) throw new AppError('account_not_found', `There is no account "${text}".`)
    return account
  }
  return async (app) => {
    await app.register(accepts)

    app.get(
      '/api/whatsapp/accounts/:accountId',
      {
        config: { access: 'viewer' },
        schema: { summary: 'One account', tags, params: AccountParams, response: answers(OneAccount) },
      },
      async (request) => {
        const account = found(request.params.accountId)
        const isAdmin = principalOf(request).role === 'admin'
        const view = isAdmin ? await accountWithQr(account, views, qr) : accountView(account, views)
        return { success: true as const, account: view }
      },
    )

    app.patch(
      '/api/whatsapp/accounts/:accountId',
      {
        schema: {
          summary: 'Rename an account',
          tags,
          params: AccountParams,
          body: RenameBody,
          response: answers(OneAccount),
        },
      },
      async (request) => {
        const { accountId } = found(request.params.accountId).record
        await fleet.identify(accountId, { name: request.body.name.trim() })
        return { success: true as const, account: accountView(found(accountId), views) }
      },
    )

    app.get(
      '/api/whatsapp/accounts/:accountId/qr',
      {
        schema: {
          summary: 'The QR code that the account offers now',
          description: 'As PNG, SVG or text for a terminal, by Accept. A secret while it lives: never cached.',
          tags,
          params: AccountParams,
          response: {
            200: {
              description: 'The code',
              content: Object.fromEntries(Object.keys(FORMATS).map((type) => [type, { schema: QrBody }])),
            },
            '4xx': ErrorBody,
            '5xx': ErrorBody,
          },
        },
      },
      async (request, reply) => {
        const account = found(request.params.accountId)
        const type = request.accepts().type(Object.keys(FORMATS))
        if (!isFormat(type)) {
          throw new AppError('not_acceptable', `A QR code is to be had as ${Object.keys(FORMATS).join(', ')}.`)
        }
        const living = livingQr(account, views)
        if (living === null) {
          const { reason } = registry.statusOf(account)
          throw new AppError(
            'qr_not_offered',
            `Account "${account.record.accountId}" offers no QR code now: ` +
              `${reason === null ? 'it is connected.' : REASONS[reason]} Ask for one by POST .../pair.`,
          )
        }
        const drawn = await qr.render(living.text, FORMATS[type])
        const body = type === 'image/png' ? Buffer.from(drawn.slice(drawn.indexOf(',') + 1), 'base64') : drawn
        return reply
          .type(type === 'image/png' ? type : `${type}; charset=utf-8`)
          .header('vary', 'accept')
          .send(body)
      },
    )

    app.get(
      '/api/whatsapp/accounts/:accountId/logs',
      {
        schema: {
          summary: 'The last lines of the log of an account',
          description: 'What LOG_LEVEL lets through, from info up; the journal has the rest.',
          tags,
          params: AccountParams,
          querystring: LogsQuery,
          response: answers(LogLines),
        },
      },
      async (request) => {
        const { accountId } = found(request.params.accountId).record
        return { success: true as const, lines: logs.of(accountId, request.query.limit ?? 200).map(lineView) }
      },
    )
  }
}

function isFormat(type: unknown): type is keyof typeof FORMATS {
  return typeof type === 'string' && Object.hasOwn(FORMATS, type)
}
