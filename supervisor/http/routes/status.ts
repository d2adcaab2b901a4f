import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { accountView, livingQr, type AccountView } from '../../views/account-view.ts'
import { dashboardView, type ViewDeps } from '../../views/fleet-view.ts'
import { iso } from '../../views/iso.ts'
import type { Account } from '../../accounts/registry.ts'
import type { QrRenderer } from '../../qr/qr-renderer.ts'
import { principalOf } from '../guard.ts'
import { answers } from '../schemas/common.ts'
import { Dashboard, Health } from '../schemas/dashboard.ts'
import type { HttpDeps } from '../server.ts'

/** `GET /api/status/dashboard`: everything a page or a monitor wants to know, in one answer. */
export function dashboardRoutes({ views, qr }: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/status/dashboard',
      {
        config: { access: 'viewer' },
        schema: {
          summary: 'Everything as it is now',
          description: 'Of every account and of the fleet. A viewer gets no QR codes.',
          tags: ['status'],
          response: answers(Dashboard),
        },
      },
      async (request) => {
        const { role } = principalOf(request)
        const dashboard = dashboardView(role, views)
        if (role === 'viewer') return dashboard
        const accounts = dashboard.accounts.map(async (view) => {
          const account = views.registry.get(view.accountId)
          return account === undefined ? view : withQr(view, account, views, qr)
        })
        return { ...dashboard, accounts: await Promise.all(accounts) }
      },
    )
  }
}

/** For admins: an account and its QR code, where it offers one. */
export async function accountWithQr(account: Account, views: ViewDeps, qr: QrRenderer): Promise<AccountView> {
  return withQr(accountView(account, views), account, views, qr)
}

async function withQr(view: AccountView, account: Account, views: ViewDeps, qr: QrRenderer): Promise<AccountView> {
  const living = livingQr(account, views)
  if (living === null) return view
  // A code that can't be drawn now is not worth everything else: the next look has it.
  const qrCode = await qr.render(living.text).catch(() => null)
  return qrCode === null ? view : { ...view, qrCode, qrExpiresAt: iso(living.expiresAtMs) }
}

/** `GET /health`, without a token: is the service able to do its work? 200 or 503. */
export function healthRoutes({ views }: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/health',
      {
        schema: {
          summary: 'Is the service able to do its work?',
          description: 'For monitors and load balancers; needs no token.',
          tags: ['status'],
          security: [],
          response: { 200: Health, 503: Health },
        },
      },
      async (_request, reply) => {
        const { registry, service, storage, backups, sessionsPath } = views
        const backup = backups?.health
        const all = registry.all()
        const connected = all.filter((account) => registry.statusOf(account).status === 'connected').length
        const { exists, writable } = storage.state
        const state = service.status()
        const able = writable && state !== 'stopping'
        return reply.code(able ? 200 : 503).send({
          status: able ? 'ok' : 'unavailable',
          checks: {
            service: state === 'running' ? 'ok' : state,
            storage: { path: sessionsPath, exists, writable },
            firestore: backup?.state ?? 'disabled',
            oldestUnsavedMs: backup?.oldestUnsavedMs ?? null,
            accounts: { total: all.length, connected },
          },
        })
      },
    )
  }
}
