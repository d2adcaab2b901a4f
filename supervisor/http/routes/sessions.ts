import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { AppError, messageOf } from '../../../shared/errors.ts'
import { maskPhone } from '../../../shared/phone.ts'
import { putBackToAccount } from '../../accounts/put-back.ts'
import { listSetAside } from '../../accounts/set-aside-sessions.ts'
import { checkedId } from '../checked-id.ts'
import { Done, PutBackBody, RecoverBody, Recovered, SetAsideList } from '../schemas/commands.ts'
import { AccountParams, answers } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'

/** Sessions that were set aside or damaged, and what an operator can do about them. */
export function sessionRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  const { fleet, sessionsPath } = deps
  return async (app) => {
    app.get(
      '/api/whatsapp/sessions/set-aside',
      { schema: { summary: 'Sessions that were set aside', tags: ['sessions'], response: answers(SetAsideList) } },
      async () => {
        const sessions = await listSetAside(sessionsPath).catch((error: unknown) => {
          throw new AppError(
            'storage_unavailable',
            `The sessions that were set aside can't be read: ${messageOf(error)}. Look at the disk.`,
          )
        })
        return {
          success: true as const,
          sessions: sessions.map(({ id, accountId, reason, setAsideAtMs, phone, sizeBytes }) => ({
            id,
            accountId,
            reason,
            setAsideAt: new Date(setAsideAtMs).toISOString(),
            phone: phone === null ? null : maskPhone(phone),
            sizeBytes,
          })),
        }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/put-back',
      {
        schema: {
          params: AccountParams,
          summary: "Make a session that was set aside the account's again",
          tags: ['sessions'],
          body: PutBackBody,
          response: answers(Done),
        },
      },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await putBackToAccount(accountId, request.body.session, deps)
        return { success: true as const, account: { accountId, status: 'put_back' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/recover',
      {
        schema: {
          params: AccountParams,
          summary: 'Recover a damaged session',
          tags: ['sessions'],
          body: RecoverBody,
          response: answers(Recovered),
        },
      },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        const done = await fleet.recover(accountId, request.body.from)
        const status = done === null ? 'recovering' : 'recovered'
        if (done === null) return { success: true as const, account: { accountId, status }, recovery: null }
        const { atMs, ...counts } = done
        const recovery = { ...counts, at: new Date(atMs).toISOString() }
        return { success: true as const, account: { accountId, status }, recovery }
      },
    )
  }
}
