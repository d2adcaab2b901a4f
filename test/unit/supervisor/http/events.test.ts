import { createConnection } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { NO_COUNTS, type Account } from '../../../../supervisor/accounts/registry.ts'
import { EventReader } from '../../../fixtures/event-reader.ts'
import { BEARER, recordOf, startHttpService, VIEWER, type HttpService } from '../../../fixtures/http-service.ts'
import { until } from '../../../fixtures/until.ts'

interface Listening extends HttpService {
  url: string
  open: (headers?: Record<string, string>, query?: string) => Promise<EventReader>
}

const listening = async (t: Test, accountIds: string[]): Promise<Listening> => {
  const records = accountIds.map((accountId) => recordOf(accountId))
  const service = await startHttpService({ sessionsPath: t.testdir({}), records, maxAccounts: 300 })
  t.teardown(service.stop)
  const url = await service.app.listen({ port: 0, host: '127.0.0.1' })
  const open = async (headers: Record<string, string> = BEARER, query = ''): Promise<EventReader> => {
    const reader = await EventReader.open(`${url}/api/events${query}`, headers)
    t.teardown(() => reader.close())
    return reader
  }
  return { ...service, url, open }
}
const running = {
  state: { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false },
  generation: 1,
  failures: 0,
} as const
const put = ({ registry, clock }: Listening, accountId: string, change: Partial<Account>): void => {
  const account = registry.get(accountId)
  if (account !== undefined) registry.put({ ...account, child: running, ...change })
  clock.advance(20)
}
const connected = { status: 'connected', reason: null, code: null, attempt: 0, nextTryAtMs: null } as const
const pairing = { status: 'needs_qr', reason: 'pairing', code: null, attempt: 0, nextTryAtMs: null } as const
const process = {
  pid: 1,
  startedAtMs: 0,
  rssBytes: 50_000_000,
  loopDelayMs: 0,
  cpu: null,
  cpuPercent: 1,
  counted: NO_COUNTS,
}
interface Told {
  account: { accountId: string; status: string }
}

t.test('a stream begins with everything, and goes on with what changes', async (t) => {
  const service = await listening(t, ['a', 'b'])
  const reader = await service.open()
  t.equal(reader.status, 200)
  t.match(reader.headers.get('content-type'), 'text/event-stream')
  t.equal(reader.headers.get('cache-control'), 'no-store')
  t.match(reader.headers.get('content-security-policy'), "default-src 'none'")
  const snapshot = await reader.find<{ role: string; accounts: object[] }>('snapshot')
  t.match(snapshot.data, { role: 'admin', summary: { total: 2 }, accounts: [{ accountId: 'a' }, { accountId: 'b' }] })
  put(service, 'a', { connection: connected, process })
  const told = await reader.find<Told>('account.status')
  t.match(told.data, { account: { accountId: 'a', status: 'connected', process: { pid: 1 } } })
  t.match((await reader.find('fleet.event')).data, { summary: { connected: 1, disconnected: 1 } })

  await t.test('what moves all the time comes in batches, and only of those that moved', async (t) => {
    const from = reader.events.length
    put(service, 'a', { process: { ...process, rssBytes: 60_000_000 } })
    put(service, 'a', { process: { ...process, rssBytes: 70_000_000 } })
    put(service, 'b', {})
    service.clock.advance(3000)
    const { data } = await reader.find('account.activity', () => true, from)
    t.match(data, { accounts: [{ accountId: 'a', process: { rssBytes: 70_000_000 } }] })
    t.equal((data as { accounts: object[] }).accounts.length, 1)
    t.equal(reader.events.slice(from).filter(({ name }) => name === 'account.activity').length, 1)
  })

  await t.test('memory that moves by less than a chart shows is no news', async (t) => {
    const from = reader.events.length
    put(service, 'a', { process: { ...process, rssBytes: 70_000_100 } })
    service.clock.advance(3000)
    put(service, 'b', { connection: connected })
    await reader.find('account.status', ({ account }: Told) => account.accountId === 'b', from)
    t.notOk(reader.events.slice(from).some(({ name }) => name === 'account.activity'))
  })

  await t.test('ids grow, and an account that goes is told', async (t) => {
    service.registry.delete('b')
    service.clock.advance(20)
    t.match((await reader.find('account.removed')).data, { accountId: 'b' })
    const numbers = reader.events.map(({ id }) => Number(id.split('-')[1]))
    t.strictSame(
      numbers,
      [...numbers].sort((x, y) => x - y),
    )
    t.ok(reader.events.every(({ id }) => /^[0-9a-f]{12}-\d+$/.test(id)))
  })

  await t.test('a comment keeps it open', async (t) => {
    const before = reader.comments
    service.clock.advance(15_000)
    await until('a comment', () => reader.comments > before)
    t.notOk(reader.ended)
  })
})

t.test('whoever comes back gets what it missed, or everything where that is not known', async (t) => {
  const service = await listening(t, ['a', 'b'])
  const first = await service.open()
  await first.find('snapshot')
  put(service, 'a', { connection: connected })
  await first.find('account.status')
  first.close()
  put(service, 'b', { connection: connected })
  put(service, 'a', { connection: { ...connected, status: 'connecting', reason: 'stale' } })
  const back = await service.open({ ...BEARER, 'last-event-id': first.lastId })
  await back.find<Told>('account.status', ({ account }) => account.status === 'connecting')
  t.notOk(back.events.some(({ name }) => name === 'snapshot'))
  t.strictSame(
    back.events.filter(({ name }) => name === 'account.status').map(({ data }) => (data as Told).account.accountId),
    ['b', 'a'],
  )
  const boot = first.lastId.split('-')[0] ?? ''
  for (const id of ['other-1', `${boot}-999999`, 'nonsense', '']) {
    const fresh = await service.open({ ...BEARER, 'last-event-id': id })
    t.equal((await fresh.find('snapshot')).name, 'snapshot', id)
    t.equal(fresh.events[0]?.name, 'snapshot', id)
  }
})

t.test('QR codes are for admins alone, drawn while somebody looks, and told again to who comes back', async (t) => {
  const service = await listening(t, ['a'])
  const admin = await service.open()
  const viewer = await service.open(VIEWER)
  await Promise.all([admin.find('snapshot'), viewer.find('snapshot')])
  const expiresAtMs = service.clock.nowMs() + 60_000
  put(service, 'a', { connection: pairing, qr: { text: 'secret-one', expiresAtMs } })
  const shown = await admin.find('account.qr')
  t.match(shown.data, {
    accountId: 'a',
    qrCode: /^data:image\/png;base64,/,
    expiresAt: new Date(expiresAtMs).toISOString(),
  })
  await viewer.find('account.status')
  const { lastId } = admin
  admin.close()
  const fresh = await service.open()
  t.match((await fresh.find('account.qr')).data, { qrCode: /^data:/ }, 'after a snapshot')
  fresh.close()
  await until('nobody with QR codes to look', () => service.streams.size === 1)
  put(service, 'a', { connection: pairing, qr: { text: 'secret-two', expiresAtMs } })
  put(service, 'a', { connection: connected, qr: null })
  const back = await service.open({ ...BEARER, 'last-event-id': lastId })
  t.strictSame((await back.find('account.qr')).data, { accountId: 'a', qrCode: null, expiresAt: null })
  await viewer.find<Told>('account.status', ({ account }) => account.status === 'connected')
  t.notOk(viewer.events.some(({ name }) => name === 'account.qr'))
  const all = JSON.stringify([admin.events, viewer.events, back.events])
  t.notMatch(all, 'secret-', 'the text itself goes nowhere')
  t.notMatch(JSON.stringify(viewer.events), 'data:image')
})

t.test('log lines come to the one who asked for those of the account', async (t) => {
  const service = await listening(t, ['a', 'b'])
  const reader = await service.open(BEARER, '?logs=a')
  const other = await service.open()
  await Promise.all([reader.find('snapshot'), other.find('snapshot')])
  const line = { atMs: 1, level: 'warn', event: 'x.happened', message: 'X', fields: { n: 1 } } as const
  service.logs.add('b', [line])
  service.logs.add('a', [line, line])
  const { data } = await reader.find<{ sequence: number }>('account.log', ({ sequence }) => sequence === 2)
  t.match(data, {
    accountId: 'a',
    at: '1970-01-01T00:00:00.001Z',
    level: 'warn',
    event: 'x.happened',
    fields: { n: 1 },
  })
  t.equal(reader.events.filter(({ name }) => name === 'account.log').length, 2)
  t.notOk(other.events.some(({ name }) => name === 'account.log'))
  t.equal((await service.open(VIEWER, '?logs=a')).status, 403)
  t.equal((await service.open(BEARER, '?logs=..%2f')).status, 400)
})

t.test('a stream ends with its login, its token and its service', async (t) => {
  const service = await listening(t, ['a'])
  const made = await fetch(`${service.url}/api/tokens`, {
    method: 'POST',
    headers: { ...BEARER, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Wall', role: 'viewer' }),
  })
  const { id, token } = (await made.json()) as { id: string; token: string }
  const login = await fetch(`${service.url}/api/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  })
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? ''
  const byToken = await service.open({ authorization: `Bearer ${token}` })
  const byLogin = await service.open({ cookie })
  const admin = await service.open()
  t.match((await byLogin.find('snapshot')).data, { role: 'viewer' })
  await fetch(`${service.url}/api/tokens/${id}`, { method: 'DELETE', headers: BEARER })
  await until('both to end', () => byToken.ended && byLogin.ended)
  t.notOk(admin.ended)
  t.equal((await service.open({ cookie })).status, 401)
  await service.app.close()
  await until('the last one to end', () => admin.ended)
})

t.test('who takes nothing is dropped; the others notice nothing', async (t) => {
  const service = await listening(t, ['a'])
  const reader = await service.open()
  await reader.find('snapshot')
  const { port } = new URL(service.url)
  const deaf = createConnection(Number(port), '127.0.0.1')
  t.teardown(() => deaf.destroy())
  await once(deaf, 'connect')
  deaf.write(`GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${BEARER.authorization}\r\n\r\n`)
  await until('two streams', () => service.streams.size === 2)
  deaf.pause()
  // Each is a transition of its own; together more than any kernel buffers for one connection.
  const name = 'x'.repeat(64 * 1024)
  for (let i = 0; i < 400 && service.streams.dropped === 0; i++) {
    const account = service.registry.get('a')
    if (account !== undefined) service.registry.put({ ...account, record: { ...account.record, name: `${name}${i}` } })
    service.clock.advance(20)
    await new Promise(setImmediate)
  }
  t.equal(service.streams.dropped, 1)
  t.equal(service.streams.size, 1)
  put(service, 'a', { connection: connected })
  await reader.find<Told>('account.status', ({ account }) => account.status === 'connected')
})

t.test('more streams than can be kept are refused; viewers leave room for admins', async (t) => {
  const service = await listening(t, [])
  const viewers = await Promise.all(Array.from({ length: 81 }, () => service.open(VIEWER)))
  t.strictSame(
    viewers.map(({ status }) => status).filter((status) => status !== 200),
    [429],
  )
  const admins = await Promise.all(Array.from({ length: 20 }, () => service.open()))
  t.ok(admins.every(({ status }) => status === 200))
  t.equal((await service.open()).status, 429)
  t.equal(service.streams.size, 100)
})

t.test('a connection has one stream, however many it asks for; its end makes room', async (t) => {
  const service = await listening(t, ['a'])
  const request = `GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${VIEWER.authorization}\r\n\r\n`
  const { port } = new URL(service.url)
  let requests = 0
  service.app.server.on('request', () => requests++)
  const greedy = createConnection(Number(port), '127.0.0.1')
  t.teardown(() => greedy.destroy())
  greedy.write(request.repeat(100))
  await until('all of them to be read', () => requests === 100)
  const own = await service.open()
  await own.find('snapshot')
  t.equal(service.streams.size, 2)
  greedy.destroy()
  await until('its end to be seen', () => service.streams.size === 1)
  const next = await service.open(VIEWER)
  t.equal(next.status, 200)
})
