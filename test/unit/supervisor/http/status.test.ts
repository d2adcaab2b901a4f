import t, { type Test } from 'tap'
import { NO_COUNTS, type Account } from '../../../../supervisor/accounts/registry.ts'
import {
  BEARER,
  recordOf,
  startHttpService,
  type HttpService,
  type HttpServiceOptions,
} from '../../../fixtures/http-service.ts'

const started = async (t: Test, options: Partial<HttpServiceOptions> = {}): Promise<HttpService> => {
  const service = await startHttpService({ sessionsPath: t.testdir({}), ...options })
  t.teardown(service.stop)
  return service
}
const get = (url: string) => ({ url, headers: BEARER })
const put = ({ registry }: HttpService, accountId: string, change: Partial<Account>): void => {
  const account = registry.get(accountId)
  if (account !== undefined) registry.put({ ...account, ...change })
}
const running = {
  state: { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false },
  generation: 2,
  failures: 0,
} as const

t.test('health is for everybody, and says nothing of accounts but their number', async (t) => {
  const service = await started(t, { records: [recordOf('a'), recordOf('b')] })
  const report = { status: 'connected', reason: null, code: null, attempt: 0, nextTryAtMs: null } as const
  put(service, 'a', { child: running, connection: report })
  const response = await service.app.inject('/health')
  t.equal(response.statusCode, 200)
  const { checks, status } = response.json<{ status: string; checks: { storage: object } }>()
  t.equal(status, 'ok')
  t.match(checks, {
    service: 'ok',
    storage: { exists: true, writable: true },
    firestore: 'disabled',
    oldestUnsavedMs: null,
    accounts: { total: 2, connected: 1 },
  })
  t.notMatch(response.body, '4071234')
})

t.test('backups: what is not well with them is shown, and no reason for a 503', async (t) => {
  const nowMs = 1_700_000_000_000
  const views = {
    a: { revision: 7, savedAtMs: nowMs - 1500, bytes: 99, pending: true, error: 'The target did not answer.' },
    b: { revision: null, savedAtMs: null, bytes: null, pending: true, error: null },
  }
  const service = await started(t, {
    records: [recordOf('a'), recordOf('b'), recordOf('c')],
    backups: {
      health: { state: 'degraded', oldestUnsavedMs: 1234 },
      viewOf: (accountId) => (accountId === 'a' || accountId === 'b' ? views[accountId] : null),
      saveNow: () => [],
    },
  })
  const health = await service.app.inject('/health')
  t.equal(health.statusCode, 200)
  t.match(health.json(), { status: 'ok', checks: { firestore: 'degraded', oldestUnsavedMs: 1234 } })
  const { accounts } = (await service.app.inject(get('/api/status/dashboard'))).json<{
    accounts: { backup: unknown }[]
  }>()
  const savedAt = new Date(nowMs - 1500).toISOString()
  t.strictSame(
    accounts.map(({ backup }) => backup),
    [
      { revision: 7, savedAt, ageMs: 1500, bytes: 99, pending: true, error: 'The target did not answer.' },
      { revision: null, savedAt: null, ageMs: null, bytes: null, pending: true, error: null },
      null,
    ],
  )
})

t.test('health fails when the disk does, and while the service stops, not while it starts', async (t) => {
  const cases: [Partial<HttpServiceOptions>, number, object][] = [
    [
      { storage: { exists: false, writable: false, problem: 'gone', full: true } },
      503,
      { storage: { exists: false, writable: false } },
    ],
    [{ status: 'stopping' }, 503, { service: 'stopping' }],
    [{ status: 'starting' }, 200, { service: 'starting' }],
  ]
  for (const [options, code, checks] of cases) {
    const { app } = await started(t, options)
    const response = await app.inject('/health')
    t.equal(response.statusCode, code)
    t.match(response.json(), { status: code === 200 ? 'ok' : 'unavailable', checks })
  }
})

t.test('the dashboard of an empty service', async (t) => {
  const { app, clock } = await started(t)
  clock.advance(90_500)
  const { statusCode, ...response } = await app.inject(get('/api/status/dashboard'))
  t.equal(statusCode, 200)
  t.match(response.body && JSON.parse(response.body), {
    timestamp: new Date(clock.nowMs()).toISOString(),
    service: { status: 'running', uptime: 90, version: '1.2.3' },
    storage: { writable: true, totalAccounts: 0 },
    accounts: [],
    summary: { connected: 0, connecting: 0, disconnected: 0, needs_qr: 0, paused: 0, total: 0 },
    role: 'admin',
    firestore: { state: 'disabled', oldestUnsavedMs: null },
    boot: null,
    actions: [],
    maxAccounts: 3,
  })
})

t.test('the dashboard shows each account, phones masked, QR codes while they live', async (t) => {
  const service = await started(t, { records: [recordOf('a'), recordOf('b', null)] })
  const { app, clock } = service
  put(service, 'a', {
    child: running,
    connection: { status: 'needs_qr', reason: 'pairing', code: null, attempt: 0, nextTryAtMs: null },
    qr: { text: 'the-secret-text', expiresAtMs: clock.nowMs() + 60_000 },
    process: {
      pid: 123,
      startedAtMs: clock.nowMs(),
      rssBytes: 5,
      loopDelayMs: 0.5,
      cpu: null,
      cpuPercent: 1.5,
      counted: NO_COUNTS,
    },
    crashCount: 4,
  })
  clock.advance(10_000)
  interface Shown {
    accounts: Record<string, unknown>[]
    summary: object
  }
  const shown = (await app.inject(get('/api/status/dashboard'))).json<Shown>()
  t.match(shown.accounts[0], {
    accountId: 'a',
    phone: '+407****78',
    status: 'needs_qr',
    reason: 'pairing',
    detail: 'A QR code waits to be scanned.',
    needsPerson: true,
    needsQR: true,
    qrCode: /^data:image\/png;base64,/,
    qrExpiresAt: new Date(clock.nowMs() + 50_000).toISOString(),
    process: {
      state: 'running',
      pid: 123,
      uptime: 10,
      rssBytes: 5,
      cpuPercent: 1.5,
      loopDelayMs: 0.5,
      crashCount: 4,
      generation: 2,
    },
  })
  t.match(shown.accounts[1], { phone: null, status: 'disconnected', reason: 'stopped', process: { state: 'absent' } })
  t.match(shown.summary, { needs_qr: 1, disconnected: 1, total: 2 })
  t.notMatch(JSON.stringify(shown), 'the-secret-text')
  t.notMatch(JSON.stringify(shown), '40712345678')
  clock.advance(50_000)
  const later = (await app.inject(get('/api/status/dashboard'))).json<Shown>()
  t.notOk(later.accounts[0] && 'qrCode' in later.accounts[0], 'a dead code is not shown')
})

t.test('headers: nothing of the API is cached, also errors; pages run our scripts alone', async (t) => {
  const { app } = await started(t)
  for (const url of ['/api/status/dashboard', '/api/nothing', '/%61pi/status/dashboard', '/api/login']) {
    t.equal((await app.inject(get(url))).headers['cache-control'], 'no-store', url)
  }
  t.equal((await app.inject('/api/status/dashboard')).headers['cache-control'], 'no-store', '401')
  for (const url of ['/', '/health', '/nothing', '/api/status/dashboard']) {
    const { headers } = await app.inject(get(url))
    const policy = String(headers['content-security-policy'])
    t.match(policy, "default-src 'none'", url)
    t.match(policy, "frame-ancestors 'none'")
    t.notMatch(policy, /unsafe/)
    t.equal(headers['x-content-type-options'], 'nosniff')
    t.notOk(headers['x-powered-by'])
  }
})

t.test('the page itself is there for everybody: it has no secrets, and asks for the token', async (t) => {
  const { app } = await started(t)
  const response = await app.inject('/')
  t.equal(response.statusCode, 200)
  t.match(response.headers['content-type'], 'text/html')
})
