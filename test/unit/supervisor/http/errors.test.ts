import type { InjectOptions } from 'fastify'
import t, { type Test } from 'tap'
import { ERRORS, type ErrorCode } from '../../../../shared/errors.ts'
import {
  BEARER,
  recordOf,
  startHttpService,
  type HttpService,
  type HttpServiceOptions,
} from '../../../fixtures/http-service.ts'

const started = async (t: Test, options: Partial<HttpServiceOptions> = {}): Promise<HttpService> => {
  const service = await startHttpService({ sessionsPath: options.sessionsPath ?? t.testdir({}), ...options })
  t.teardown(service.stop)
  return service
}

const ADD = '/api/whatsapp/add-account'
const json = { ...BEARER, 'content-type': 'application/json' }
const post = (payload: unknown): InjectOptions => ({
  method: 'POST',
  url: ADD,
  headers: json,
  payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
})
const BODY = { name: 'Office', phone: '+40712345678' }

const describe = ({ method, url }: InjectOptions): string => `${method} ${typeof url === 'string' ? url : ''}`

const GUARDED: InjectOptions[] = [
  { method: 'GET', url: '/api/status/dashboard' },
  { method: 'GET', url: '/api/whatsapp/sessions/set-aside' },
  { method: 'POST', url: ADD, payload: BODY },
  { method: 'POST', url: '/api/whatsapp/accounts/a/restart' },
  { method: 'DELETE', url: '/api/whatsapp/accounts/a' },
  { method: 'POST', url: '/api/whatsapp/accounts/a/put-back', payload: { session: 'x' } },
  { method: 'POST', url: '/api/whatsapp/accounts/a/recover', payload: { from: 'readable' } },
]

const WRONG: [title: string, request: InjectOptions, code: ErrorCode, mentioned?: RegExp][] = [
  ['a body that is no JSON', post('{"name": '), 'bad_request', /not JSON/],
  ['no body at all', { method: 'POST', url: ADD, headers: json }, 'bad_request', /must be object/],
  ['no content type either', { method: 'POST', url: ADD, headers: BEARER }, 'bad_request'],
  ['a body of null', post('null'), 'bad_request'],
  ['a list', post([BODY]), 'bad_request'],
  [
    'a form',
    {
      method: 'POST',
      url: ADD,
      headers: { ...BEARER, 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'name=a',
    },
    'unsupported_media_type',
  ],
  [
    'plain text, which another site could send',
    { method: 'POST', url: ADD, headers: { ...BEARER, 'content-type': 'text/plain' }, payload: JSON.stringify(BODY) },
    'unsupported_media_type',
  ],
  ['too large a body', post({ ...BODY, name: 'x'.repeat(70_000) }), 'payload_too_large'],
  ['an unknown field', post({ ...BODY, admin: true }), 'bad_request', /"admin" is not known/],
  ['a prototype', post('{"name":"a","phone":"+40712345678","__proto__":{"a":1}}'), 'bad_request'],
  ['no name', post({ phone: BODY.phone }), 'bad_request', /name/],
  ['an empty name', post({ ...BODY, name: '' }), 'bad_request', /name/],
  ['a name of spaces', post({ ...BODY, name: '   ' }), 'bad_request', /name/],
  ['a name of another type', post({ ...BODY, name: 5 }), 'bad_request', /name/],
  ['too long a name', post({ ...BODY, name: 'x'.repeat(101) }), 'bad_request', /name/],
  ['a phone of another type', post({ ...BODY, phone: 40712345678 }), 'bad_request', /phone/],
  ['no phone', post({ name: 'a' }), 'bad_request', /phone/],
  ['a national number', post({ ...BODY, phone: '0712345678' }), 'invalid_phone', /country code/],
  ['words for a phone', post({ ...BODY, phone: 'call me' }), 'invalid_phone'],
  [
    'an unknown account, restart',
    { method: 'POST', url: '/api/whatsapp/accounts/none/restart', headers: BEARER },
    'account_not_found',
    /"none"/,
  ],
  [
    'an unknown account, remove',
    { method: 'DELETE', url: '/api/whatsapp/accounts/none', headers: BEARER },
    'account_not_found',
  ],
  [
    'a purge of maybe',
    { method: 'DELETE', url: '/api/whatsapp/accounts/a?purge=maybe', headers: BEARER },
    'bad_request',
    /purge: it must be true or false/,
  ],
  [
    'a query nobody knows',
    { method: 'DELETE', url: '/api/whatsapp/accounts/a?force=true', headers: BEARER },
    'bad_request',
  ],
  [
    'a restart of some, where it would be of all',
    { method: 'POST', url: '/api/whatsapp/restart-all', headers: json, payload: '{"accounts":["a"]}' },
    'bad_request',
    /"accounts" is not known/,
  ],
  [
    'the same in the query',
    { method: 'POST', url: '/api/whatsapp/restart-all?accounts=a', headers: BEARER },
    'bad_request',
    /"accounts" is not known/,
  ],
  [
    'a pause of connects for a list',
    { method: 'POST', url: '/api/whatsapp/connects/pause', headers: json, payload: '["a"]' },
    'bad_request',
    /must be object/,
  ],
  [
    'a recovery from nowhere',
    { method: 'POST', url: '/api/whatsapp/accounts/a/recover', headers: json, payload: '{"from":"x"}' },
    'bad_request',
    /from: it must be readable or previous/,
  ],
  ...['%2e%2e%2f', '..%2Fx', '.hidden', 'a%00b', 'a%20b', 'a%2fb', '%5c', 'x'.repeat(65)].map(
    (id): [string, InjectOptions, ErrorCode] => [
      `the account id ${id.slice(0, 20)}`,
      { method: 'DELETE', url: `/api/whatsapp/accounts/${id}`, headers: BEARER },
      'bad_request',
    ],
  ),
  [
    'an id too long for any route',
    { method: 'DELETE', url: `/api/whatsapp/accounts/${'x'.repeat(300)}`, headers: BEARER },
    'bad_request',
  ],
  [
    'a URL that can not be decoded',
    { method: 'GET', url: '/api/whatsapp/accounts/%zz', headers: BEARER },
    'bad_request',
  ],
  ['a URL that can not be decoded, nowhere', { method: 'GET', url: '/%c0%ae', headers: BEARER }, 'bad_request'],
  ['no such route', { method: 'GET', url: '/api/nothing', headers: BEARER }, 'not_found', /GET \/api\/nothing/],
  ['the wrong method', { method: 'PUT', url: ADD, headers: json, payload: BODY }, 'not_found', /PUT/],
  ['the wrong method, GET', { method: 'GET', url: ADD, headers: BEARER }, 'not_found', /GET/],
  ['a file above the dashboard', { method: 'GET', url: '/..%2f..%2fpackage.json' }, 'not_found'],
  ['a file that is not there', { method: 'GET', url: '/none.js' }, 'not_found'],
]

t.test('what is wrong with a request is said in one shape, without a stack', async (t) => {
  const { app, logLines } = await started(t, { records: [recordOf('a')] })
  for (const [title, request, code, mentioned] of WRONG) {
    const response = await app.inject(request)
    t.equal(response.statusCode, ERRORS[code].httpStatus, `${title}: ${response.body}`)
    const body = response.json<{ error?: { code?: string; message?: string } }>()
    t.strictSame(Object.keys(body), ['success', 'error'], title)
    t.match(body, { success: false, error: { code } }, title)
    t.strictSame(Object.keys(body.error ?? {}), ['code', 'message'], title)
    t.match(body.error?.message ?? '', mentioned ?? /\w/, title)
    t.notMatch(response.body, /\bat .*\.js|node_modules|FST_ERR|TypeError/, `${title}: no stack, no names of ours`)
    t.ok(response.body.length < 500, `${title}: short`)
  }
  t.strictSame(
    logLines().filter(({ level }) => level === 'error'),
    [],
    'none of it is an error of ours',
  )
})

t.test('without the token nothing is done and nothing is told', async (t) => {
  const { app, registry } = await started(t, { records: [recordOf('a')] })
  const headers = [
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer wrong' },
    { authorization: BEARER.authorization.slice(0, -1) },
    { authorization: `Basic ${BEARER.authorization.slice(7)}` },
    { authorization: BEARER.authorization.slice(7) },
    { cookie: 'wa_session=wrong' },
    { cookie: `wa_session=${BEARER.authorization.slice(7)}` },
  ]
  // Fewer than the limit of failures for an address in each run.
  for (const [i, header] of headers.entries()) {
    for (const request of GUARDED) {
      const response = await app.inject({ ...request, headers: header, remoteAddress: `10.0.0.${i}` })
      t.equal(response.statusCode, 401, `${describe(request)} ${JSON.stringify(header)}`)
      t.match(response.json(), { success: false, error: { code: 'unauthorized' } })
    }
  }
  t.equal(registry.size, 1)
  t.equal(registry.revision, 1, 'nothing was changed')
})

t.test('the token is asked for before anything of the request is looked at', async (t) => {
  const { app } = await started(t)
  for (const request of [
    post('{'),
    post('x'.repeat(70_000)),
    { method: 'DELETE', url: '/api/whatsapp/accounts/%2e%2e%2f' } as const,
  ]) {
    const response = await app.inject({ ...request, headers: { 'content-type': 'application/json' } })
    t.equal(response.statusCode, 401)
  }
})

t.test('the scheme of the header is not case-sensitive', async (t) => {
  const { app } = await started(t)
  const authorization = BEARER.authorization.replace('Bearer', 'bEARER')
  t.equal((await app.inject({ url: '/api/status/dashboard', headers: { authorization } })).statusCode, 200)
})

t.test('a full house takes no more', async (t) => {
  const { app, registry } = await started(t, { records: [recordOf('a')], maxAccounts: 1 })
  const response = await app.inject(post({ ...BODY, phone: '+40700000000' }))
  t.equal(response.statusCode, 409)
  t.match(response.json(), { error: { code: 'too_many_accounts', message: /MAX_ACCOUNTS/ } })
  t.equal(registry.size, 1)
})

t.test('a service that stops takes nothing on', async (t) => {
  const { app, fleet } = await started(t, { records: [recordOf('a')] })
  await fleet.stop()
  for (const request of [post({ ...BODY, phone: '+40700000000' }), ...GUARDED.slice(3)]) {
    const response = await app.inject({ headers: BEARER, ...request })
    t.equal(response.statusCode, 503, `${describe(request)}: ${response.body}`)
    t.match(response.json(), { success: false, error: { code: 'shutting_down' } })
  }
})

t.test('an account that can not be saved is not added', async (t) => {
  const { app, registry } = await started(t, { sessionsPath: t.testdir({ 'accounts.json.tmp': {} }) })
  const response = await app.inject(post(BODY))
  t.equal(response.statusCode, 503)
  t.match(response.json(), { success: false, error: { code: 'storage_unavailable' } })
  t.equal(registry.size, 0)
})

t.test('an account that is not running is removed, with its session', async (t) => {
  const { app, registry, retired } = await started(t, { records: [recordOf('a'), recordOf('b', '+40712345679')] })
  const first = await app.inject({ method: 'DELETE', url: '/api/whatsapp/accounts/a', headers: BEARER })
  t.strictSame(first.json(), { success: true, account: { accountId: 'a', status: 'removed' } })
  const second = await app.inject({ method: 'DELETE', url: '/api/whatsapp/accounts/b?purge=true', headers: BEARER })
  t.equal(second.statusCode, 200)
  t.match(retired, [
    { accountId: 'a', desired: 'removed', purge: false },
    { accountId: 'b', desired: 'removed', purge: true },
  ])
  t.equal(registry.size, 0)
})

t.test('a bug is logged with its stack, and told without', async (t) => {
  const { app, registry, logLines } = await started(t)
  const all = registry.all.bind(registry)
  let broken = true
  registry.all = () => {
    if (broken) throw new Error('secret detail')
    return all()
  }
  const response = await app.inject({ url: '/api/status/dashboard', headers: BEARER })
  broken = false
  t.equal(response.statusCode, 500)
  t.match(response.json(), { success: false, error: { code: 'internal' } })
  t.notMatch(response.body, 'secret detail')
  t.match(logLines(), [
    { level: 'error', event: 'http.failed', cause: 'secret detail', route: '/api/status/dashboard' },
  ])
})

t.test('an action takes application/json without a body', async (t) => {
  const { app } = await started(t, { records: [recordOf('a')] })
  const headers = { ...BEARER, 'content-type': 'application/json' }
  const response = await app.inject({ method: 'POST', url: '/api/whatsapp/accounts/a/restart', headers })
  t.equal(response.statusCode, 200, response.body)
})
