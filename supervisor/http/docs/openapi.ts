import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'

/** The API's description in OpenAPI 3.1, made of the schemas that check requests and answers. Before any route. */
export async function describeApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'whatsapp-backend',
        // Of the API, not of the service, which is nobody's business without a token.
        version: '1',
        description:
          'Send `Authorization: Bearer TOKEN`: ADMIN_TOKEN, or an access token that was made with it. A token of the role ' +
          '"viewer" may use the routes marked so. Errors are `{"success":false,"error":{"code","message"}}`, with a status that fits.',
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'For programs' },
          login: {
            type: 'apiKey',
            in: 'cookie',
            name: 'wa_session',
            description: 'For the dashboard: POST /api/login',
          },
        },
      },
      security: [{ token: [] }, { login: [] }],
      tags: [
        { name: 'status', description: 'How everything is now' },
        { name: 'accounts', description: 'Accounts, and what is done with them' },
        { name: 'history', description: 'How everything was' },
        { name: 'fleet', description: 'All accounts at once' },
        { name: 'sessions', description: 'Sessions that were set aside or damaged' },
        { name: 'backups', description: 'Backups' },
        { name: 'access', description: 'Logins and tokens' },
      ],
    },
    transform: ({ schema, url, route }) => {
      const isViewers = route.config?.access === 'viewer'
      if (!isViewers || schema === undefined) return { schema, url }
      const description = ['A viewer may use it.', schema.description].filter(Boolean).join(' ')
      return { schema: { ...schema, description }, url }
    },
  })
}
