import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { ErrorBody } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'

/** `GET /metrics`: for Prometheus, with the token of a viewer. */
export function metricsRoutes({ metrics }: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/metrics',
      {
        config: { access: 'viewer' },
        schema: {
          summary: 'Metrics for Prometheus',
          tags: ['status'],
          response: {
            200: { description: "In Prometheus' text format", content: { 'text/plain': { schema: Type.String() } } },
            '4xx': ErrorBody,
            '5xx': ErrorBody,
          },
        },
      },
      async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()),
    )
  }
}
