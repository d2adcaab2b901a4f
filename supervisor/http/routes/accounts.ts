import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { addAccount, pairingCode } from '../../accounts/onboarding.ts'
import type { HttpDeps } from '../server.ts'
import { checkedId } from '../checked-id.ts'
import { AddAccountBody, AddedAccount, Done, PairingCode, RemoveQuery } from '../schemas/commands.ts'
import { AccountParams, answers } from '../schemas/common.ts'

/** What an operator does with accounts. */
export function accountRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  const { registry, fleet, clock, qr } = deps
  const tags = ['accounts']
  return async (app) => {
    app.post(
      '/api/whatsapp/add-account',
      {
        schema: {
          summary: 'Add an account, or find it, and wait for its QR code',
          description: 'Up to 20 s. Twice is once.',
          tags,
          body: AddAccountBody,
          response: answers(AddedAccount),
        },
      },
      async (request) => {
        const account = await addAccount(request.body.name.trim(), request.body.phone, deps)
        const { status, reason } = registry.statusOf(account)
        const living = account.qr !== null && account.qr.expiresAtMs > clock.nowMs() ? account.qr.text : null
        const { accountId, name, phone } = account.record
        const qrCode = living === null ? null : await qr.render(living).catch(() => null)
        return { success: true as const, account: { accountId, name, phone, status, reason, qrCode } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/restart',
      {
        schema: {
          summary: 'A new process for the account; the old one flushes first',
          tags,
          params: AccountParams,
          response: answers(Done),
        },
      },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        fleet.restart(accountId)
        return { success: true as const, account: { accountId, status: 'restarting' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/pair',
      { schema: { summary: 'Ask for a QR code', tags, params: AccountParams, response: answers(Done) } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        fleet.pair(accountId)
        return { success: true as const, account: { accountId, status: 'pairing' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/pairing-code',
      {
        schema: {
          summary: 'A code to type into the phone instead of scanning',
          tags,
          params: AccountParams,
          response: answers(PairingCode),
        },
      },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        return { success: true as const, code: await pairingCode(accountId, deps) }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/pause',
      {
        schema: {
          summary: 'Stop the account until it is resumed',
          tags,
          params: AccountParams,
          response: answers(Done),
        },
      },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await fleet.pause(accountId)
        return { success: true as const, account: { accountId, status: 'paused' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/resume',
      { schema: { summary: 'End a pause', tags, params: AccountParams, response: answers(Done) } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await fleet.resume(accountId)
        return { success: true as const, account: { accountId, status: 'resuming' } }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/logout',
      { schema: { summary: 'Unlink this device at WhatsApp', tags, params: AccountParams, response: answers(Done) } },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await fleet.logOut(accountId)
        return { success: true as const, account: { accountId, status: 'logged_out' } }
      },
    )

    app.delete(
      '/api/whatsapp/accounts/:accountId',
      {
        schema: {
          params: AccountParams,
          summary: 'Stop and forget the account; its session is set aside, or destroyed (purge)',
          tags,
          querystring: RemoveQuery,
          response: answers(Done),
        },
      },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        await fleet.remove(accountId, request.query.purge === 'true')
        return { success: true as const, account: { accountId, status: 'removed' } }
      },
    )
  }
}
