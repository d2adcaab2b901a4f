import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { docsPage, type ApiDocument } from '../docs/page.ts'
import { DOCS_STYLE } from '../docs/style.ts'

/** The API's description, for programs and for people. The same for every installation, so it needs no token. */
export function docsRoutes(): FastifyPluginAsyncTypebox {
  const hide = { hide: true }
  return async (app) => {
    let document: string | undefined
    let page: string | undefined

    app.get('/openapi.json', { schema: hide }, async (_request, reply) => {
      document ??= JSON.stringify(app.swagger())
      return reply.type('application/json; charset=utf-8').send(document)
    })

    app.get('/docs', { schema: hide }, async (_request, reply) => {
      page ??= docsPage(app.swagger() as unknown as ApiDocument)
      return reply.type('text/html; charset=utf-8').send(page)
    })

    app.get('/docs/style.css', { schema: hide }, async (_request, reply) =>
      reply.type('text/css; charset=utf-8').send(DOCS_STYLE),
    )
  }
}
