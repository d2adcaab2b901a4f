import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { describeRestart } from '../../views/fleet-view.ts'
import { Connects, RestartAll } from '../schemas/commands.ts'
import { answers, NoBody, NoQuery } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'

/** What an operator does with all accounts at once. */
export function fleetRoutes({ fleet }: HttpDeps): FastifyPluginAsyncTypebox {
  const nothing = { body: NoBody, querystring: NoQuery, tags: ['fleet'] }
  return async (app) => {
    app.post(
      '/api/whatsapp/restart-all',
      { schema: { ...nothing, summary: 'Restart all accounts, one after another', response: answers(RestartAll) } },
      async () => {
        return { success: true as const, restart: describeRestart(fleet.restartAll()) }
      },
    )

    app.post(
      '/api/whatsapp/connects/pause',
      { schema: { ...nothing, summary: 'Let no account connect', response: answers(Connects) } },
      async () => {
        await fleet.pauseConnects()
        return { success: true as const, connectsPaused: fleet.connectsPaused }
      },
    )

    app.post(
      '/api/whatsapp/connects/resume',
      { schema: { ...nothing, summary: 'Let accounts connect again', response: answers(Connects) } },
      async () => {
        await fleet.resumeConnects()
        return { success: true as const, connectsPaused: fleet.connectsPaused }
      },
    )
  }
}
