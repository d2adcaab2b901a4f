import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Connects, NoBody, NoQuery, RestartAll } from '../schemas.ts'
import type { HttpDeps } from '../server.ts'
import { describeRestart } from './status.ts'

/** What an operator does with all accounts at once. */
export function fleetRoutes({ fleet }: HttpDeps): FastifyPluginAsyncTypebox {
  const nothing = { body: NoBody, querystring: NoQuery }
  return async (app) => {
    app.post('/api/whatsapp/restart-all', { schema: { ...nothing, response: { 200: RestartAll } } }, async () => {
      return { success: true as const, restart: describeRestart(fleet.restartAll()) }
    })

    app.post('/api/whatsapp/connects/pause', { schema: { ...nothing, response: { 200: Connects } } }, async () => {
      await fleet.pauseConnects()
      return { success: true as const, connectsPaused: fleet.connectsPaused }
    })

    app.post('/api/whatsapp/connects/resume', { schema: { ...nothing, response: { 200: Connects } } }, async () => {
      await fleet.resumeConnects()
      return { success: true as const, connectsPaused: fleet.connectsPaused }
    })
  }
}
