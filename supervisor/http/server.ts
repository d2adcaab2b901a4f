import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { fastify, type FastifyInstance } from 'fastify'
import type { Registry as PromRegistry } from 'prom-client'
import type { Clock } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import type { AccessTokens } from '../access/access-tokens.ts'
import type { Registry } from '../accounts/registry.ts'
import type { LogBook } from '../feed/log-book.ts'
import type { History } from '../history/history.ts'
import type { BulkActions } from '../fleet/bulk-actions.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { QrRenderer } from '../qr/qr-renderer.ts'
import type { ViewDeps } from '../views/fleet-view.ts'
import type { Auth } from './auth.ts'
import { describeApi } from './docs/openapi.ts'
import { answerUnroutable, handleErrors, refuseGarbage } from './errors.ts'
import { createPage } from './page.ts'
import type { EventStreams } from './event-streams.ts'
import { guard } from './guard.ts'
import { accessRoutes } from './routes/access.ts'
import { accountRoutes } from './routes/accounts.ts'
import { backupRoutes } from './routes/backups.ts'
import { bulkRoutes } from './routes/bulk.ts'
import { docsRoutes } from './routes/docs.ts'
import { eventRoutes } from './routes/events.ts'
import { fleetRoutes } from './routes/fleet.ts'
import { historyRoutes } from './routes/history.ts'
import { loginRoutes } from './routes/login.ts'
import { metricsRoutes } from './routes/metrics.ts'
import { oneAccountRoutes } from './routes/one-account.ts'
import { sessionRoutes } from './routes/sessions.ts'
import { dashboardRoutes, healthRoutes } from './routes/status.ts'

export interface HttpDeps {
  registry: Registry
  fleet: Fleet
  /** What is shown of them. */
  views: ViewDeps
  actions: BulkActions
  auth: Auth
  tokens: AccessTokens
  streams: EventStreams
  history: Pick<History, 'pictures' | 'of'>
  metrics: PromRegistry
  logs: LogBook
  qr: QrRenderer
  clock: Clock
  log: Log
  sessionsPath: string
  trustedProxies: readonly string[]
  maxAccounts: number
  accountEnv: string
  /** Absolute path of the dashboard's source. */
  dashboardPath: string
}

/** Enough for a name and a phone a thousand times over; nothing here takes files. */
const BODY_LIMIT_BYTES = 64 * 1024
/** Well below LimitNOFILE, so that strangers can't take the descriptors that workers and sessions need. */
const MOST_CONNECTIONS = 500
/** Longer than add-account waits for a QR code and remove for a flush. */
const REQUEST_TIMEOUT_MS = 60_000

/** Builds the HTTP server without listening: tests call `inject`. */
export async function buildServer(deps: HttpDeps): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Of nobody else X-Forwarded-For is believed: limits are per address.
    trustProxy: deps.trustedProxies.length > 0 ? [...deps.trustedProxies] : false,
    // A page that keeps a connection open must not keep the service from stopping.
    forceCloseConnections: true,
    clientErrorHandler: refuseGarbage,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: answerUnroutable,
  })
    .withTypeProvider<TypeBoxTypeProvider>()
    .setValidatorCompiler(TypeBoxValidatorCompiler)
  app.server.maxConnections = MOST_CONNECTIONS
  handleErrors(app, deps.log)
  // Bodies are JSON. Any page of another site can send text/plain without asking the browser for leave.
  app.removeContentTypeParser('text/plain')
  // Programs say application/json for a request without a body as well: where a route wants one, its schema says so.
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined)
    else void parseJson(request, body.toString(), done)
  })

  const page = createPage(deps.dashboardPath)
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'", page.scriptHash],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    // TLS is the reverse proxy's, and so is the promise to keep to it.
    strictTransportSecurity: false,
  })
  await app.register(cookie)
  await app.register(rateLimit, { global: false })
  app.addHook('onSend', async (request, reply) => {
    // QR codes and states are nothing for any cache.
    // By the route as well: `/%61pi/...` is the same one.
    const isApi = request.url.startsWith('/api/') || request.routeOptions.url?.startsWith('/api/') === true
    if (isApi) reply.header('cache-control', 'no-store')
  })

  await describeApi(app)
  await app.register(docsRoutes())
  await app.register(healthRoutes(deps))
  await app.register(loginRoutes(deps))
  await app.register(async (guarded) => {
    await guard(guarded, deps.auth)
    await guarded.register(accessRoutes(deps))
    await guarded.register(eventRoutes(deps))
    await guarded.register(dashboardRoutes(deps))
    await guarded.register(accountRoutes(deps))
    await guarded.register(oneAccountRoutes(deps))
    await guarded.register(bulkRoutes(deps))
    await guarded.register(historyRoutes(deps))
    await guarded.register(metricsRoutes(deps))
    await guarded.register(fleetRoutes(deps))
    await guarded.register(sessionRoutes(deps))
    await guarded.register(backupRoutes(deps))
  })
  await app.register(page.routes)
  return app
}
