import t, { type Test } from 'tap'
import { BEARER, startHttpService, TOKEN, type HttpService } from '../../../fixtures/http-service.ts'

const started = async (t: Test): Promise<HttpService> => {
  const service = await startHttpService({ sessionsPath: t.testdir({}) })
  t.teardown(service.stop)
  return service
}
const login = (payload: object, headers: Record<string, string> = {}, remoteAddress = '127.0.0.1') =>
  ({ method: 'POST', url: '/api/login', payload, headers, remoteAddress }) as const
const dashboard = (headers: Record<string, string>) => ({ url: '/api/status/dashboard', headers })
const removal = (headers: Record<string, string>) =>
  ({ method: 'DELETE', url: '/api/whatsapp/accounts/none', headers: { host: 'wa.example:8080', ...headers } }) as const

const cookieOf = async ({ app }: HttpService): Promise<string> => {
  const { cookies } = await app.inject(login({ token: TOKEN }))
  return `${cookies[0]?.name}=${cookies[0]?.value}`
}

t.test('the token becomes a cookie that scripts can not read and other sites can not use', async (t) => {
  const service = await started(t)
  const response = await service.app.inject(login({ token: TOKEN }))
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), { success: true })
  t.equal(response.cookies.length, 1)
  t.match(response.cookies[0], { name: 'wa_session', httpOnly: true, sameSite: 'Strict', path: '/', maxAge: 86_400 })
  t.ok((response.cookies[0]?.value.length ?? 0) >= 43, '256 bits')
  t.notOk(response.cookies[0]?.domain)
  t.notMatch(response.headers['set-cookie'], TOKEN)
  const cookie = await cookieOf(service)
  t.equal((await service.app.inject(dashboard({ cookie }))).statusCode, 200)
})

t.test('a login ends with its day, and with a logout', async (t) => {
  const service = await started(t)
  const { app, clock } = service
  const first = await cookieOf(service)
  clock.advance(24 * 3600_000 - 1)
  t.equal((await app.inject(dashboard({ cookie: first }))).statusCode, 200)
  clock.advance(1)
  t.equal((await app.inject(dashboard({ cookie: first }))).statusCode, 401)
  const second = await cookieOf(service)
  const out = await app.inject({ method: 'POST', url: '/api/logout', headers: { cookie: second } })
  t.equal(out.statusCode, 200)
  t.match(out.cookies[0], { name: 'wa_session', value: '', path: '/' })
  t.equal((await app.inject(dashboard({ cookie: second }))).statusCode, 401, 'the cookie itself is worth nothing now')
})

t.test('the code of the terminal opens once, for a quarter of an hour', async (t) => {
  const { app, auth, clock } = await started(t)
  const code = auth.issueLoginCode()
  t.equal((await app.inject(login({ code: `${code}x` }))).statusCode, 401, 'a wrong code does not use it up')
  t.equal((await app.inject(login({ code }))).statusCode, 200)
  const again = await app.inject(login({ code }))
  t.equal(again.statusCode, 401)
  t.match(again.json(), { success: false, error: { code: 'unauthorized' } })
  t.equal((await app.inject(login({ code: '' }))).statusCode, 401)
  const late = auth.issueLoginCode()
  clock.advance(15 * 60_000 + 1)
  t.equal((await app.inject(login({ code: late }))).statusCode, 401)
  const older = auth.issueLoginCode()
  auth.issueLoginCode()
  t.equal((await app.inject(login({ code: older }))).statusCode, 401, 'a newer code replaces it')
})

t.test('a login with nothing, or with the wrong thing', async (t) => {
  const { app } = await started(t)
  for (const body of [{}, { token: 'wrong' }, { token: '' }, { code: 'wrong' }]) {
    const response = await app.inject(login(body))
    t.equal(response.statusCode, 401, JSON.stringify(body))
    t.strictSame(response.cookies, [])
  }
  t.equal((await app.inject(login({ token: TOKEN, admin: true }))).statusCode, 400)
  t.equal((await app.inject(login({ token: ['a'] }))).statusCode, 400)
})

const OWN: Record<string, string>[] = [
  { 'sec-fetch-site': 'same-origin', origin: 'http://wa.example:8080' },
  { origin: 'http://wa.example:8080' },
  { origin: 'https://wa.example:8080' },
  {},
]
const FOREIGN: Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'none' },
  { 'sec-fetch-site': 'cross-site', origin: 'http://wa.example:8080' },
  { origin: 'http://evil.example' },
  { origin: 'http://wa.example' },
  { origin: 'http://wa.example:8080.evil.example' },
  { origin: 'null' },
]

t.test('a change that comes with a cookie must come from our own page', async (t) => {
  const service = await started(t)
  const cookie = await cookieOf(service)
  for (const headers of OWN) {
    const { statusCode } = await service.app.inject(removal({ cookie, ...headers }))
    t.equal(statusCode, 404, `let through: ${JSON.stringify(headers)}`)
  }
  for (const headers of FOREIGN) {
    const response = await service.app.inject(removal({ cookie, ...headers }))
    t.equal(response.statusCode, 403, JSON.stringify(headers))
    t.match(response.json(), { success: false, error: { code: 'forbidden' } })
    const { statusCode } = await service.app.inject(removal({ ...BEARER, ...headers }))
    t.equal(statusCode, 404, 'the token itself is no cookie that a browser sends by itself')
  }
  t.equal(
    (await service.app.inject(dashboard({ cookie, 'sec-fetch-site': 'none' }))).statusCode,
    200,
    'reading is free',
  )
})

t.test('nor may another page log somebody in or out', async (t) => {
  const service = await started(t)
  const cookie = await cookieOf(service)
  for (const headers of FOREIGN) {
    const host = { host: 'wa.example:8080', ...headers }
    t.equal((await service.app.inject(login({ token: TOKEN }, host))).statusCode, 403)
    const out = { method: 'POST', url: '/api/logout', headers: { cookie, ...host } } as const
    t.equal((await service.app.inject(out)).statusCode, 403)
  }
  t.equal((await service.app.inject(dashboard({ cookie }))).statusCode, 200)
})

t.test('wrong tokens are counted by address; the right one still passes, and so do others', async (t) => {
  const { app } = await started(t)
  const ask = async (authorization: string, remoteAddress: string) =>
    (await app.inject({ url: '/api/status/dashboard', headers: { authorization }, remoteAddress })).statusCode
  const codes: number[] = []
  for (let i = 0; i < 40; i++) codes.push(await ask('Bearer wrong', '10.0.0.1'))
  t.strictSame(codes, [...Array<number>(30).fill(401), ...Array<number>(10).fill(429)])
  t.equal(await ask(BEARER.authorization, '10.0.0.1'), 200)
  t.equal(await ask('Bearer wrong', '10.0.0.2'), 401)
})

t.test('wrong logins are counted by address; the right token still passes', async (t) => {
  const { app } = await started(t)
  const codes: number[] = []
  for (let i = 0; i < 15; i++) codes.push((await app.inject(login({ token: `${i}` }, {}, '10.0.0.1'))).statusCode)
  t.strictSame(codes, [...Array<number>(10).fill(401), ...Array<number>(5).fill(429)])
  t.equal((await app.inject(login({ token: TOKEN }, {}, '10.0.0.1'))).statusCode, 200)
  t.equal((await app.inject(login({ token: 'wrong' }, {}, '10.0.0.2'))).statusCode, 401)
})

t.test('a hundred logins live at a time; the oldest goes first', async (t) => {
  const { auth } = await started(t)
  const admin = { role: 'admin', tokenId: null, login: null } as const
  const made = await Promise.all(Array.from({ length: 101 }, () => auth.createLogin(admin)))
  const values = made.map(({ value }) => value)
  t.equal(auth.byCookie(values[0] ?? ''), undefined)
  t.equal(
    values.slice(1).every((value) => auth.byCookie(value)?.role === 'admin'),
    true,
  )
})
