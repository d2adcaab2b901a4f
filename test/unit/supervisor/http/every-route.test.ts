import { Validator } from '@seriousme/openapi-schema-validator'
import type { InjectOptions } from 'fastify'
import t, { type Test } from 'tap'
import { operationsOf, routesOf, type Operation } from '../../../fixtures/api-document.ts'
import { BEARER, recordOf, startHttpService, VIEWER, type HttpService } from '../../../fixtures/http-service.ts'

/**
 * What holds of every route, over the list that the app itself gives: a new route is in here, or this fails. Each answer
 * is checked against the OpenAPI document by the fixture.
 */
const started = async (t: Test): Promise<HttpService> => {
  const service = await startHttpService({ sessionsPath: t.testdir({}), records: [recordOf('a')] })
  t.teardown(service.stop)
  return service
}

/** A body that each route takes, and what is no value for each of its fields. */
const BODIES: Record<string, Record<string, unknown>> = {
  'POST /api/login': { token: 'x' },
  'POST /api/tokens': { name: 'Wall screen', role: 'viewer' },
  'POST /api/whatsapp/add-account': { name: 'Office', phone: '+40712345678' },
  'POST /api/whatsapp/add-accounts': { accounts: [{ name: 'Office', phone: '+40712345678' }] },
  'POST /api/whatsapp/actions': { action: 'restart', accountIds: ['none'] },
  'POST /api/whatsapp/accounts/{accountId}/put-back': { session: 'x' },
  'POST /api/whatsapp/accounts/{accountId}/recover': { from: 'readable' },
  'PATCH /api/whatsapp/accounts/{accountId}': { name: 'Other' },
  'POST /api/whatsapp/restart-all': {},
  'POST /api/whatsapp/connects/pause': {},
  'POST /api/whatsapp/connects/resume': {},
}
const WRONG_VALUES = [null, 5, true, {}, [], [5], '']

/** Pages and their parts: no API. */
const PAGES = ['GET /openapi.json', 'GET /docs', 'GET /docs/style.css']
/** The dashboard: a route for each of its files. */
const DASHBOARD = /^GET \/(|index\.html|icon\.svg|(styles|app|vendor)\/\S+\.(css|js))$/
/** What needs no token. */
const OPEN = ['GET /health', 'POST /api/login', 'POST /api/logout']
const UNKNOWN_IDS: Record<string, string> = {
  accountId: 'account_not_found',
  id: 'token_not_found',
  actionId: 'action_not_found',
}

const nameOf = ({ method, path }: Operation): string => `${method} ${path}`
let address = 0
/** Each from another address: failures are counted by it. */
const request = (
  { method, path }: Operation,
  id: string,
  more: Omit<InjectOptions, 'url'> = {},
): InjectOptions & { url: string } => ({
  method: method as 'GET',
  url: path.replace(/\{\w+\}/g, id),
  remoteAddress: `10.1.${address >> 8}.${address++ & 255}`,
  ...more,
})
const withBody = (operation: Operation, body: unknown, headers: Record<string, string> = BEARER): InjectOptions => ({
  headers: operation.requestBody === undefined ? headers : { ...headers, 'content-type': 'application/json' },
  ...(operation.requestBody === undefined ? {} : { payload: JSON.stringify(body) }),
})
const codeOf = (body: string): string => (JSON.parse(body) as { error?: { code?: string } }).error?.code ?? ''

t.test('every route is in the document, with words, tags and the shape of its errors', async (t) => {
  const { app } = await started(t)
  const operations = await operationsOf(app)
  const described = operations.map((operation) => nameOf(operation).replace(/\{(\w+)\}/g, ':$1'))
  t.strictSame([...described, ...PAGES].sort(), (await routesOf(app)).filter((route) => !DASHBOARD.test(route)).sort())
  for (const operation of operations) {
    const name = nameOf(operation)
    t.ok((operation.summary ?? '').length > 5, `${name} has a summary`)
    t.equal(operation.tags?.length, 1, `${name} has a tag`)
    t.ok('200' in operation.responses, name)
    if (name === 'GET /health') continue
    for (const errors of ['4XX', '5XX']) {
      const schema = operation.responses[errors]?.content?.['application/json']?.schema
      t.match(
        schema,
        { properties: { success: {}, error: { properties: { code: {}, message: {} } } } },
        `${name} ${errors}`,
      )
    }
    t.equal(operation.requestBody !== undefined, name in BODIES, `${name}: a body of it is known here`)
  }
})

t.test('the document is valid OpenAPI 3.1, and the page shows all of it under the same policy', async (t) => {
  const { app } = await started(t)
  const response = await app.inject('/openapi.json')
  t.equal(response.statusCode, 200)
  const document = response.json<{ openapi: string; paths: Record<string, object> }>()
  t.equal(document.openapi, '3.1.0')
  const result = await new Validator().validate(document)
  t.strictSame(result.errors ?? [], [])
  t.equal(result.valid, true)
  const page = await app.inject('/docs')
  t.match(page.headers['content-type'], 'text/html')
  t.notMatch(page.body, /<script|style=|onclick=|https?:\/\//)
  for (const path of Object.keys(document.paths)) t.ok(page.body.includes(`<code>${path}</code>`), path)
  t.match((await app.inject('/docs/style.css')).headers['content-type'], 'text/css')
})

t.test('without a token, or with a wrong one, there is nothing', async (t) => {
  const { app, registry } = await started(t)
  const { revision } = registry
  for (const operation of await operationsOf(app)) {
    const name = nameOf(operation)
    if (OPEN.includes(name)) {
      t.strictSame(operation.security, [], `${name} says that it needs none`)
      continue
    }
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'Bearer wab_0123456789ab_x' }]) {
      const response = await app.inject(request(operation, 'a', withBody(operation, BODIES[name], headers)))
      t.equal(response.statusCode, 401, name)
      t.equal(codeOf(response.body), 'unauthorized', name)
    }
  }
  t.equal(registry.revision, revision, 'nothing was changed')
})

t.test('a viewer looks, and does nothing', async (t) => {
  const { app, registry } = await started(t)
  const { revision } = registry
  let allowed = 0
  for (const operation of await operationsOf(app)) {
    const name = nameOf(operation)
    if (OPEN.includes(name) || name === 'GET /api/events') continue
    const response = await app.inject(request(operation, 'a', withBody(operation, BODIES[name], VIEWER)))
    const isViewers = operation.description?.includes('A viewer may use it.') === true
    if (isViewers) {
      allowed++
      t.not(response.statusCode, 403, name)
      t.equal(operation.method, 'GET', `${name}: looking is GET`)
      t.notMatch(response.body, /qrCode|data:image/, name)
    } else {
      t.equal(response.statusCode, 403, name)
      t.match(response.json(), { error: { code: 'forbidden', message: /may only look/ } }, name)
    }
  }
  t.equal(allowed, 7)
  t.equal(registry.revision, revision, 'nothing was changed')
})

t.test('what does not fit is refused: fields, types, queries, ids', async (t) => {
  const { app, registry } = await started(t)
  const { revision } = registry
  const refused = async (title: string, options: InjectOptions, statusCode: number, code: string): Promise<void> => {
    const response = await app.inject(options)
    t.equal(response.statusCode, statusCode, `${title}: ${response.body.slice(0, 200)}`)
    t.equal(codeOf(response.body), code, title)
  }
  for (const operation of await operationsOf(app)) {
    const name = nameOf(operation)
    const body = BODIES[name]
    if (operation.requestBody !== undefined) {
      for (const wrong of [[], 'x', 5, { ...body, extra: 1 }]) {
        const title = `${name} ${JSON.stringify(wrong)}`
        await refused(title, request(operation, 'a', withBody(operation, wrong)), 400, 'bad_request')
      }
      for (const [field, value] of Object.entries(body ?? {})) {
        for (const wrong of WRONG_VALUES.filter((each) => typeof each !== typeof value || each === '')) {
          // Nothing is a token like any other wrong one.
          if (name === 'POST /api/login' && wrong === '') continue
          const title = `${name} ${field}: ${JSON.stringify(wrong)}`
          await refused(
            title,
            request(operation, 'a', withBody(operation, { ...body, [field]: wrong })),
            400,
            'bad_request',
          )
        }
      }
      const text = { headers: { ...BEARER, 'content-type': 'text/plain' }, payload: '{}' }
      await refused(`${name} text`, request(operation, 'a', text), 415, 'unsupported_media_type')
      const large = JSON.stringify({ ...body, extra: 'x'.repeat(70_000) })
      const json = { headers: { ...BEARER, 'content-type': 'application/json' }, payload: large }
      await refused(`${name} large`, request(operation, 'a', json), 413, 'payload_too_large')
    }
    for (const { name: field, in: place, schema } of operation.parameters ?? []) {
      if (place === 'path') {
        if (field === 'accountId') {
          await refused(`${name} ..`, request(operation, '%2e%2e%2f', withBody(operation, body)), 400, 'bad_request')
        }
        const unknown = request(operation, 'none', withBody(operation, body))
        // What was never set aside, and what no backups are kept of, is said before who it was asked for.
        const expected = name.endsWith('put-back') ? 'set_aside_not_found' : (UNKNOWN_IDS[field] ?? '')
        await refused(`${name} of nobody`, unknown, 404, expected)
      } else {
        const { url, ...rest } = request(operation, 'a', withBody(operation, body))
        await refused(`${name} ?x`, { ...rest, url: `${url}?nonsense=1` }, 400, 'bad_request')
        if (schema.type === 'integer') {
          for (const wrong of ['x', '0', '99999', '-1']) {
            await refused(
              `${name} ?${field}=${wrong}`,
              { ...rest, url: `${url}?${field}=${wrong}` },
              400,
              'bad_request',
            )
          }
        }
      }
    }
  }
  t.equal(registry.revision, revision, 'nothing was changed')
})

t.test('what everybody behind a trusted proxy may say of his address, and nobody else', async (t) => {
  const service = await startHttpService({ sessionsPath: t.testdir({}), trustedProxies: ['10.9.0.0/16', '::1'] })
  t.teardown(service.stop)
  const ask = async (remoteAddress: string, forwarded: string): Promise<number> => {
    const headers = { authorization: 'Bearer wrong', 'x-forwarded-for': forwarded }
    return (await service.app.inject({ url: '/api/me', headers, remoteAddress })).statusCode
  }
  for (let i = 0; i < 30; i++) t.equal(await ask('10.9.0.1', '203.0.113.1'), 401)
  t.equal(await ask('10.9.0.1', '203.0.113.1'), 429, 'the client is counted')
  t.equal(await ask('10.9.0.1', '203.0.113.2'), 401, 'not the proxy')
  for (let i = 0; i < 30; i++) t.equal(await ask('10.8.0.1', `203.0.113.${i + 10}`), 401)
  t.equal(await ask('10.8.0.1', '203.0.113.99'), 429, 'who is no proxy of ours is counted himself')
})
