import fc from 'fast-check'
import t from 'tap'
import { parseConfig, type Config, type Environment } from '../../../supervisor/config.ts'
import { isLoopback } from '../../../supervisor/config-access.ts'

const CWD = '/srv/app'
const parse = (env: Environment) => parseConfig(env, CWD)
const config = (env: Environment): Config => {
  const parsed = parse(env)
  if (parsed.config === undefined) throw new Error(parsed.errors.join('\n'))
  return parsed.config
}
const errors = (env: Environment): string[] => parse(env).errors ?? []

t.test('nothing set: everything has its default, and only this machine can reach it', async (t) => {
  t.strictSame(config({}), {
    port: 8080,
    host: '127.0.0.1',
    adminToken: undefined,
    viewerToken: undefined,
    trustedProxies: [],
    sessionsPath: '/srv/app/.baileys_auth',
    sessionsPathFrom: 'default',
    volumePath: undefined,
    maxAccounts: 30,
    accountEnv: 'prod',
    spawnStaggerMinMs: 2000,
    spawnStaggerMaxMs: 5000,
    maxReconnectAttempts: 5,
    healthCheckIntervalMs: 60_000,
    staleConnectionThresholdMs: 300_000,
    shutdownTimeoutMs: 10_000,
    connectRateMax: 5,
    connectRateMin: 1,
    setAsideDays: 90,
    logLevel: 'info',
    logFormat: 'auto',
    journalSockets: '/run/systemd/journal',
    systemd: { notifySocket: null, watchdogMs: null, watchdogPid: null },
    waSocketUrl: null,
    waNoiseRootKey: null,
    waVersion: null,
    waVersionUrl: 'https://web.whatsapp.com/sw.js',
    workerMemoryMb: 200,
    workerBundle: true,
    backup: null,
  })
  t.ok(Object.isFrozen(config({})))
})

const KEY = 'AB'.repeat(32)
const VALID: [Environment, Partial<Config>][] = [
  [{ PORT: '0' }, { port: 0 }],
  [{ PORT: '65535' }, { port: 65_535 }],
  [{ PORT: ' 9000 ' }, { port: 9000 }],
  [{ HOST: 'localhost' }, { host: 'localhost' }],
  [{ HOST: '::1' }, { host: '::1' }],
  [{ HOST: '127.1.2.3' }, { host: '127.1.2.3' }],
  [
    { HOST: '0.0.0.0', ADMIN_TOKEN: 'x'.repeat(16) },
    { host: '0.0.0.0', adminToken: 'x'.repeat(16) },
  ],
  [{ ADMIN_TOKEN: 'short' }, { adminToken: 'short' }],
  [{ VIEWER_TOKEN: 'v'.repeat(16) }, { viewerToken: 'v'.repeat(16) }],
  [
    { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8,::1,fd00::/8' },
    { trustedProxies: ['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8'] },
  ],
  [
    { TRUSTED_PROXIES: '::1', ADMIN_TOKEN: 'x'.repeat(16) },
    { trustedProxies: ['::1'], adminToken: 'x'.repeat(16) },
  ],
  [
    { TRUSTED_PROXIES: ' , ', ADMIN_TOKEN: 'short' },
    { trustedProxies: [], adminToken: 'short' },
  ],
  [{ SESSIONS_PATH: 'data' }, { sessionsPath: '/srv/app/data', sessionsPathFrom: 'SESSIONS_PATH' }],
  [{ SESSIONS_PATH: '/data/' }, { sessionsPath: '/data', sessionsPathFrom: 'SESSIONS_PATH' }],
  [
    { HETZNER_SESSIONS_PATH: '/mnt/volume' },
    {
      sessionsPath: '/mnt/volume/baileys_auth',
      sessionsPathFrom: 'HETZNER_SESSIONS_PATH',
      volumePath: '/mnt/volume',
    },
  ],
  [
    { SESSIONS_PATH: '/data', HETZNER_SESSIONS_PATH: '/mnt/volume' },
    { sessionsPath: '/data', sessionsPathFrom: 'SESSIONS_PATH', volumePath: undefined },
  ],
  [{ MAX_ACCOUNTS: '200' }, { maxAccounts: 200 }],
  [{ ACCOUNT_ENV: 'Staging2' }, { accountEnv: 'Staging2' }],
  [
    { SPAWN_STAGGER_MIN_MS: '0', SPAWN_STAGGER_MAX_MS: '0' },
    { spawnStaggerMinMs: 0, spawnStaggerMaxMs: 0 },
  ],
  [{ SPAWN_STAGGER_MIN_MS: '9000' }, { spawnStaggerMinMs: 9000, spawnStaggerMaxMs: 9000 }],
  [{ SPAWN_STAGGER_MIN_MS: '100' }, { spawnStaggerMinMs: 100, spawnStaggerMaxMs: 5000 }],
  [{ MAX_RECONNECT_ATTEMPTS: '1' }, { maxReconnectAttempts: 1 }],
  [{ HEALTH_CHECK_INTERVAL_MS: '100' }, { healthCheckIntervalMs: 100 }],
  [{ STALE_CONNECTION_THRESHOLD_MS: '1000' }, { staleConnectionThresholdMs: 1000 }],
  [{ SHUTDOWN_TIMEOUT_MS: '86400000' }, { shutdownTimeoutMs: 86_400_000 }],
  [{ CONNECT_RATE_MAX: '20' }, { connectRateMax: 20 }],
  [{ CONNECT_RATE_MAX: '0.5' }, { connectRateMax: 0.5, connectRateMin: 0.5 }],
  [{ CONNECT_RATE_MIN: '0.1' }, { connectRateMin: 0.1 }],
  [
    { CONNECT_RATE_MAX: '2', CONNECT_RATE_MIN: '2' },
    { connectRateMax: 2, connectRateMin: 2 },
  ],
  [{ SET_ASIDE_DAYS: '0' }, { setAsideDays: 0 }],
  [{ SET_ASIDE_DAYS: '3650' }, { setAsideDays: 3650 }],
  [{ LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
  [{ LOG_FORMAT: 'pretty' }, { logFormat: 'pretty' }],
  [{ JOURNAL_SOCKETS: '/run/systemd/journal.wa' }, { journalSockets: '/run/systemd/journal.wa' }],
  [
    { NOTIFY_SOCKET: '@/org/x', WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7', JOURNAL_STREAM: '9:1' },
    { systemd: { notifySocket: '@/org/x', watchdogMs: 30_000, watchdogPid: 7 } },
  ],
  [{ NOTIFY_SOCKET: 'vsock:2:1', WATCHDOG_USEC: 'soon' }, {}],
  [{ WA_SOCKET_URL: 'wss://other.example/ws' }, { waSocketUrl: 'wss://other.example/ws' }],
  [{ WA_SOCKET_URL: 'ws://127.0.0.1:1234/ws/chat' }, { waSocketUrl: 'ws://127.0.0.1:1234/ws/chat' }],
  [{ WA_SOCKET_URL: 'ws://localhost:1/x' }, { waSocketUrl: 'ws://localhost:1/x' }],
  [{ WA_SOCKET_URL: 'ws://[::1]:1/x' }, { waSocketUrl: 'ws://[::1]:1/x' }],
  [{ WA_NOISE_ROOT_KEY: KEY }, { waNoiseRootKey: KEY.toLowerCase() }],
  [{ WA_VERSION: '2.3000.1043857760' }, { waVersion: [2, 3000, 1_043_857_760] }],
  [{ WA_VERSION_URL: 'off' }, { waVersionUrl: null }],
  [{ WA_VERSION_URL: 'https://mirror.example/sw.js' }, { waVersionUrl: 'https://mirror.example/sw.js' }],
  [{ WA_VERSION_URL: 'http://127.0.0.1:1/sw.js' }, { waVersionUrl: 'http://127.0.0.1:1/sw.js' }],
  [{ WORKER_MEMORY_MB: '128' }, { workerMemoryMb: 128 }],
  [{ WORKER_BUNDLE: 'off' }, { workerBundle: false }],
  [{ WORKER_BUNDLE: ' on ' }, { workerBundle: true }],
]
for (const [env, expected] of VALID) {
  t.test(JSON.stringify(env), async (t) => t.strictSame(config(env), { ...config({}), ...expected }))
}

const INVALID: [Environment, ...mentioned: (string | RegExp)[]][] = [
  ...['-1', '65536', '80.5', '0x50', '1e3', 'http', '８０'].map((PORT): [Environment, string] => [{ PORT }, 'PORT is']),
  ...[
    'MAX_ACCOUNTS',
    'SPAWN_STAGGER_MIN_MS',
    'SPAWN_STAGGER_MAX_MS',
    'MAX_RECONNECT_ATTEMPTS',
    'WORKER_MEMORY_MB',
    'HEALTH_CHECK_INTERVAL_MS',
    'STALE_CONNECTION_THRESHOLD_MS',
    'SHUTDOWN_TIMEOUT_MS',
    'SET_ASIDE_DAYS',
  ].flatMap((name) =>
    ['-1', '1.5', '10s', '1'.repeat(16)].map((text): [Environment, string] => [
      { [name]: text },
      `${name} is "${text}"`,
    ]),
  ),
  ...['MAX_ACCOUNTS', 'MAX_RECONNECT_ATTEMPTS', 'HEALTH_CHECK_INTERVAL_MS'].map((name): [Environment, string] => [
    { [name]: '0' },
    `${name} is "0"`,
  ]),
  [{ SPAWN_STAGGER_MIN_MS: '3000', SPAWN_STAGGER_MAX_MS: '2999' }, 'SPAWN_STAGGER_MAX_MS is 2999'],
  ...['CONNECT_RATE_MAX', 'CONNECT_RATE_MIN'].flatMap((name) =>
    ['0', '0.05', '-1', '101', '1e1', '.5', 'fast'].map((text): [Environment, string] => [
      { [name]: text },
      `${name} is "${text}": set it to connects a second, a number from 0.1 to 100.`,
    ]),
  ),
  [{ CONNECT_RATE_MAX: '2', CONNECT_RATE_MIN: '3' }, 'CONNECT_RATE_MAX is 2, less than CONNECT_RATE_MIN (3)'],
  [{ CONNECT_RATE_MIN: '6' }, 'CONNECT_RATE_MAX is 5, less than CONNECT_RATE_MIN (6)'],
  [{ SPAWN_STAGGER_MAX_MS: '1000' }, 'less than SPAWN_STAGGER_MIN_MS (2000)'],
  [{ HOST: '0.0.0.0' }, 'set ADMIN_TOKEN'],
  [{ HOST: '::' }, 'set ADMIN_TOKEN'],
  [{ HOST: '10.0.0.1', ADMIN_TOKEN: '   ' }, 'set ADMIN_TOKEN'],
  [{ HOST: '127.0.0.1.example.org' }, 'set ADMIN_TOKEN'],
  [{ HOST: '0.0.0.0', ADMIN_TOKEN: 'x'.repeat(15) }, 'ADMIN_TOKEN has 15 characters'],
  [{ TRUSTED_PROXIES: '127.0.0.1', ADMIN_TOKEN: 'x'.repeat(15) }, '15 characters, too few for TRUSTED_PROXIES'],
  [{ HOST: '0.0.0.0', TRUSTED_PROXIES: '10.0.0.1', ADMIN_TOKEN: 'short' }, 'too few for HOST "0.0.0.0"'],
  [{ HOST: 'http://x', ADMIN_TOKEN: 'x'.repeat(16) }, 'HOST is "http://x"'],
  [{ HOST: '-x', ADMIN_TOKEN: 'x'.repeat(16) }, 'HOST is "-x"'],
  [{ ADMIN_TOKEN: 'with space' }, 'ADMIN_TOKEN has characters'],
  [{ VIEWER_TOKEN: 'short' }, 'VIEWER_TOKEN has 5 characters'],
  [{ VIEWER_TOKEN: `${'x'.repeat(16)} ` + 'y' }, 'VIEWER_TOKEN has characters'],
  [{ ADMIN_TOKEN: 'x'.repeat(20), VIEWER_TOKEN: 'x'.repeat(20) }, 'VIEWER_TOKEN is ADMIN_TOKEN'],
  ...['proxy', '10.0.0.0/33', '10.0.0.0/x', '::1/129', '1.2.3.4/8/8', '10.0.0.', 'loopback'].map(
    (TRUSTED_PROXIES): [Environment, string] => [{ TRUSTED_PROXIES }, `TRUSTED_PROXIES has "${TRUSTED_PROXIES}"`],
  ),
  [{ TRUSTED_PROXIES: '0.0.0.0/0' }, 'which is everybody'],
  [{ ADMIN_TOKEN: 'schlüssel' }, 'ADMIN_TOKEN has characters'],
  [{ ACCOUNT_ENV: '../x' }, 'ACCOUNT_ENV is "../x"'],
  [{ ACCOUNT_ENV: 'a_b' }, 'ACCOUNT_ENV is'],
  [{ ACCOUNT_ENV: 'a'.repeat(21) }, 'ACCOUNT_ENV is'],
  [{ WA_VERSION_URL: 'ftp://x/y' }, 'WA_VERSION_URL is "ftp://x/y"', '"off"'],
  [{ WA_VERSION_URL: 'http://example.org/sw.js' }, 'WA_VERSION_URL is'],
  [{ WORKER_MEMORY_MB: '63' }, 'WORKER_MEMORY_MB is "63"'],
  [{ WORKER_BUNDLE: 'no' }, 'WORKER_BUNDLE is "no": use on or off.'],
  [{ LOG_LEVEL: 'verbose' }, 'LOG_LEVEL is "verbose"'],
  [{ LOG_LEVEL: 'INFO' }, 'LOG_LEVEL is "INFO"'],
  ...[
    'ws://example.org/ws',
    'ws://127.0.0.1.example.org/',
    'ws://localhost.example.org/',
    'ws://10.0.0.1/',
    'ws://[::]/',
    'ws://127.0.0.1@example.org/',
    'http://127.0.0.1/',
    'https://example.org',
    'example.org',
    '127.0.0.1:80',
  ].map((url): [Environment, string] => [{ WA_SOCKET_URL: url }, `WA_SOCKET_URL is "${url}"`]),
  [{ WA_NOISE_ROOT_KEY: 'ab' }, 'WA_NOISE_ROOT_KEY has 2 characters'],
  [{ WA_NOISE_ROOT_KEY: 'xy'.repeat(32) }, 'WA_NOISE_ROOT_KEY has 64'],
  ...['2.3000', '2.3000.1.1', 'v2.3000.1', '2,3000,1'].map((text): [Environment, string] => [
    { WA_VERSION: text },
    `WA_VERSION is "${text}"`,
  ]),
  [{ SET_ASIDE_DAYS: '3651' }, 'SET_ASIDE_DAYS is "3651"'],
  [{ SET_ASIDE_DAY: '30' }, 'did you mean SET_ASIDE_DAYS?'],
  [{ SESSION_PATH: '/data' }, 'SESSION_PATH is no setting: did you mean SESSIONS_PATH?'],
  [{ MAX_ACCOUNT: '3' }, 'did you mean MAX_ACCOUNTS?'],
  [{ ADMIN_TOKKEN: 'x' }, 'did you mean ADMIN_TOKEN?'],
  [{ HETZNER_SESSION_PATH: '/x' }, 'did you mean HETZNER_SESSIONS_PATH?'],
  [{ SPAWN_STAGGER_MIM_MS: '1' }, /did you mean SPAWN_STAGGER_M(IN|AX)_MS\?/],
]
for (const [env, mentioned] of INVALID) {
  t.test(`${JSON.stringify(env)} is refused`, async (t) => {
    t.equal(parse(env).config, undefined)
    t.equal(errors(env).length, 1, 'one mistake, one sentence')
    t.match(errors(env)[0], mentioned)
  })
}

t.test('everything that is wrong is said at once', async (t) => {
  const found = errors({
    PORT: 'x',
    HOST: '0.0.0.0',
    LOG_LEVEL: 'loud',
    WA_VERSION: '2',
    MAX_ACCOUNT: '1',
    MAX_ACCOUNTS: '0',
  })
  t.equal(found.length, 6)
})

t.test('a mistake in the smaller stagger is not also one in the larger', async (t) => {
  t.strictSame(errors({ SPAWN_STAGGER_MIN_MS: 'x', SPAWN_STAGGER_MAX_MS: '1000' }).length, 1)
})

t.test('a variable that is set to nothing is not set', async (t) => {
  const empty = Object.fromEntries(Object.keys(all).map((name) => [name, '']))
  t.strictSame(config(empty), config({}))
  t.strictSame(config({ ...empty, PORT: '  ' }), config({}))
})

t.test('the token as a systemd credential: what is set goes before it, an empty one is none', async (t) => {
  const dir = t.testdir({ given: { 'admin-token': 'from-the-unit\n' }, empty: { 'admin-token': '' }, none: {} })
  const token = (name: string, env: Environment = {}): string | undefined =>
    config({ ...env, CREDENTIALS_DIRECTORY: `${dir}/${name}` }).adminToken
  t.equal(token('given'), 'from-the-unit')
  t.equal(token('given', { ADMIN_TOKEN: 'set' }), 'set')
  t.equal(token('empty'), undefined)
  t.equal(token('none'), undefined)
  const unreadable = t.testdir({ 'admin-token': {} })
  t.match(errors({ CREDENTIALS_DIRECTORY: unreadable }), [/credential admin-token could not be read from .*EISDIR/])
})

t.test('the token and the key are never in a message', async (t) => {
  const secret = 'hunter2 hunter2'
  for (const HOST of ['0.0.0.0', '127.0.0.1']) {
    t.notMatch(errors({ HOST, ADMIN_TOKEN: 'hunter2', TRUSTED_PROXIES: '::1' }).join(), 'hunter2')
    t.notMatch(errors({ HOST, ADMIN_TOKEN: secret, WA_NOISE_ROOT_KEY: secret }).join(), 'hunter2')
  }
})

t.test('the variables of other programs are no typos', async (t) => {
  const others = ['HOME', 'PATH', 'HOSTNAME', 'POST', 'PORTS', 'NODE_ENV', 'NODE_OPTIONS', 'LC_ALL', 'XDG_RUNTIME_DIR']
  t.ok(config(Object.fromEntries([...others, 'npm_config_registry', 'SSH_AUTH_SOCK'].map((name) => [name, 'x']))))
})

t.test('loopback is loopback', async (t) => {
  for (const host of ['localhost', '127.0.0.1', '127.255.0.3', '::1']) t.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '::', '128.0.0.1', '127.0.0.1.nip.io', '127.0.0', '10.127.0.0.1', '']) {
    t.notOk(isLoopback(host), host)
  }
})

/** Every setting, with a value that is taken. */
const all: Record<string, string> = {
  PORT: '1',
  HOST: '::1',
  ADMIN_TOKEN: 'x'.repeat(16),
  TRUSTED_PROXIES: '127.0.0.1',
  SESSIONS_PATH: '/a',
  HETZNER_SESSIONS_PATH: '/b',
  MAX_ACCOUNTS: '1',
  ACCOUNT_ENV: 'a',
  SPAWN_STAGGER_MIN_MS: '1',
  SPAWN_STAGGER_MAX_MS: '1',
  MAX_RECONNECT_ATTEMPTS: '1',
  HEALTH_CHECK_INTERVAL_MS: '100',
  STALE_CONNECTION_THRESHOLD_MS: '100',
  SHUTDOWN_TIMEOUT_MS: '100',
  SET_ASIDE_DAYS: '1',
  LOG_LEVEL: 'warn',
  LOG_FORMAT: 'json',
  JOURNAL_SOCKETS: '/a',
  WA_SOCKET_URL: 'wss://x',
  WA_NOISE_ROOT_KEY: KEY,
  WA_VERSION: '1.2.3',
}

t.test('any environment is either a whole configuration or a list of errors, never an exception', async (t) => {
  t.ok(config(all))
  const env = fc.dictionary(
    fc.constantFrom(...Object.keys(all)),
    fc.oneof(fc.string(), fc.constantFrom(...Object.values(all))),
  )
  fc.assert(
    fc.property(env, (env) => {
      const parsed = parse(env)
      if (parsed.config === undefined) {
        if (parsed.errors.length === 0) throw new Error('neither')
        return
      }
      const { host, adminToken, trustedProxies, spawnStaggerMaxMs, spawnStaggerMinMs, sessionsPath } = parsed.config
      if (!isLoopback(host) && (adminToken ?? '').length < 16) throw new Error(`open to everybody at ${host}`)
      if (trustedProxies.length > 0 && (adminToken?.length ?? 16) < 16) throw new Error('open through a proxy')
      if (spawnStaggerMaxMs < spawnStaggerMinMs || !sessionsPath.startsWith('/')) throw new Error('nonsense')
    }),
    { numRuns: 1000 },
  )
})
