import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { addAccount, pairingCode } from '../../accounts/onboarding.ts'
import type { HttpDeps } from '../server.ts'
import { checkedId } from '../checked-id.ts'
import { AccountParams, AddAccountBody, AddedAccount, Done, PairingCode, RemoveQuery } from '../schemas.ts'

/** What an operator does with accounts. */
export function accountRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  const { registry, fleet, clock, qr } = deps
  return async (app) => {
    app.post(
      '/api/whatsapp/add-account',
      { schema: { body: AddAccountBody, response: { 200: AddedAccount } } },
      async (request) => {
        const account = await addAccount(request.body.name.trim(), request.body.phone, deps)
        const { status, reason } = registry.statusOf(account)
        const living = account.qr !== null && account.qr.expiresAtMs > clock.nowMs() ? account.qr.text : null
        const { accountId, name, phone } = account.record
        const qrCode = living === null ? null : await qr.render(living)
        return { success: true as const, account: { accountId, name, phone, status, reason, qrCode } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/restart',
      { schema: { params: AccountParams, response: { 200: Done } } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        fleet.restart(accountId)
        return { success: true as const, account: { accountId, status: 'restarting' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/pair',
      { schema: { params: AccountParams, response: { 200: Done } } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        fleet.pair(accountId)
        return { success: true as const, account: { accountId, status: 'pairing' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/pairing-code',
      { schema: { params: AccountParams, response: { 200: PairingCode } } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        return { success: true as const, code: await pairingCode(accountId, deps) }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/pause',
      { schema: { params: AccountParams, response: { 200: Done } } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await fleet.pause(accountId)
        return { success: true as const, account: { accountId, status: 'paused' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/resume',
      { schema: { params: AccountParams, response: { 200: Done } } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await fleet.resume(accountId)
        return { success: true as const, account: { accountId, status: 'resuming' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/logout',
      { schema: { params: AccountParams, response: { 200: Done } } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await fleet.logOut(accountId)
        return { success: true as const, account: { accountId, status: 'logged_out' } }
      },
    )

    app.delete(
      '/api/whatsapp/accounts/:accountId',
      { schema: { params: AccountParams, querystring: RemoveQuery, response: { 200: Done } } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await fleet.remove(accountId, request.query.purge === 'true')
        return { success: true as const, account: { accountId, status: 'removed' } }
      },
    )
  }
}
