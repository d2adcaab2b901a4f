import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readQr, readTerminalQr } from '../../../fixtures/qr-reader.ts'
import { BEARER, recordOf, startHttpService, VIEWER } from '../../../fixtures/http-service.ts'

t.test('one account: looked at, renamed, its QR code as what is accepted', async (t) => {
  const sessionsPath = t.testdir({})
  const service = await startHttpService({ sessionsPath, records: [recordOf('a'), recordOf('b')] })
  t.teardown(service.stop)
  const { app, registry, clock } = service
  const path = '/api/whatsapp/accounts/a'
  const renamed = await app.inject({ method: 'PATCH', url: path, headers: BEARER, payload: { name: ' Reception ' } })
  t.match(renamed.json(), { success: true, account: { accountId: 'a', name: 'Reception' } })
  t.match(readFileSync(join(sessionsPath, 'accounts.json'), 'utf8'), 'Reception')

  const qr = (accept: string, headers = BEARER) => app.inject({ url: `${path}/qr`, headers: { ...headers, accept } })
  t.match((await qr('image/png')).json(), {
    error: { code: 'qr_not_offered', message: /offers no QR code now: .*pair/ },
  })
  const account = registry.get('a')
  if (account === undefined) throw new Error('no account')
  registry.put({
    ...account,
    child: { state: { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false }, generation: 1, failures: 0 },
    connection: { status: 'needs_qr', reason: 'pairing', code: null, attempt: 0, nextTryAtMs: null },
    qr: { text: 'the-secret-text', expiresAtMs: clock.nowMs() + 60_000 },
  })
  const looked = (await app.inject({ url: path, headers: BEARER })).json<{ account: { qrCode: string } }>()
  t.equal(readQr(looked.account.qrCode), 'the-secret-text')
  t.notMatch((await app.inject({ url: path, headers: VIEWER })).body, /qrCode|data:image/)

  const png = await qr('image/png')
  t.equal(png.headers['content-type'], 'image/png')
  t.equal(png.headers['cache-control'], 'no-store')
  t.equal(readQr(`data:image/png;base64,${png.rawPayload.toString('base64')}`), 'the-secret-text')
  t.equal((await qr('*/*')).headers['content-type'], 'image/png')
  const svg = await qr('image/svg+xml, image/png;q=0.5')
  t.match(svg.headers['content-type'], 'image/svg+xml')
  t.match(svg.body, /^<svg [^]*<path /)
  t.notMatch(svg.body, /<script|the-secret-text/)
  t.equal(readTerminalQr((await qr('text/plain')).body), 'the-secret-text')
  t.match((await qr('application/json')).json(), { error: { code: 'not_acceptable' } })
  t.equal((await qr('image/png', VIEWER)).statusCode, 403)
  clock.advance(60_000)
  t.equal((await qr('image/png')).statusCode, 404, 'a dead code is not shown')
})

t.test('who one is, and tokens for others, revoked at once', async (t) => {
  const service = await startHttpService({ sessionsPath: t.testdir({}), records: [recordOf('a')] })
  t.teardown(service.stop)
  const { app, logLines } = service
  const me = async (authorization: string): Promise<unknown> =>
    (await app.inject({ url: '/api/me', headers: { authorization } })).json<{ role?: string }>().role
  t.equal(await me(BEARER.authorization), 'admin')
  t.equal(await me(VIEWER.authorization), 'viewer')
  const made = await app.inject({
    method: 'POST',
    url: '/api/tokens',
    headers: BEARER,
    payload: { name: 'A', role: 'admin' },
  })
  const { id, token } = made.json<{ id: string; token: string }>()
  t.equal(await me(`Bearer ${token}`), 'admin')
  const listed = await app.inject({ url: '/api/tokens', headers: { authorization: `Bearer ${token}` } })
  t.match(listed.json(), { tokens: [{ id, name: 'A', role: 'admin', createdAt: /Z$/ }] })
  t.notMatch(listed.body, token)
  t.equal((await app.inject({ method: 'DELETE', url: `/api/tokens/${id}`, headers: BEARER })).statusCode, 200)
  t.equal(await me(`Bearer ${token}`), undefined)
  t.notMatch(JSON.stringify(logLines()), token)
})

t.test('many accounts are added with an outcome each, and ask for no QR code', async (t) => {
  const service = await startHttpService({ sessionsPath: t.testdir({}), records: [recordOf('a')], maxAccounts: 3 })
  t.teardown(service.stop)
  const add = async (accounts: object[]): Promise<{ outcome: string; error?: { code: string } }[]> => {
    const url = '/api/whatsapp/add-accounts'
    const response = await service.app.inject({ method: 'POST', url, headers: BEARER, payload: { accounts } })
    t.equal(response.statusCode, 200, response.body)
    return response.json<{ results: { outcome: string; error?: { code: string } }[] }>().results
  }
  const wanted = [
    { name: 'Known', phone: '+40 712 345 678' },
    { name: 'New', phone: '+40712345001' },
    { name: 'The same', phone: '0040712345001' },
    { name: ' ', phone: '+40712345002' },
    { name: 'National', phone: '0712345003' },
    { name: 'Last', phone: '+40712345004' },
    { name: 'Too many', phone: '+40712345005' },
  ]
  const outcomes = (await add(wanted)).map(({ outcome, error }) => error?.code ?? outcome)
  t.strictSame(outcomes, ['exists', 'added', 'exists', 'bad_request', 'invalid_phone', 'added', 'too_many_accounts'])
  t.equal(service.registry.size, 3)
  t.ok(service.registry.all().every(({ pairingAskedAtMs }) => pairingAskedAtMs === null))
  t.equal(service.registry.get('a')?.record.name, 'Name of a', 'what is known stays as it is')
})
