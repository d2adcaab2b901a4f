import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { ACCESS_SETTINGS, isLoopback, parseAccess, type AccessConfig } from './config-access.ts'
import { BACKUP_SETTINGS, parseBackup, type BackupConfig } from './config-backup.ts'
import { GATE_LIMITS } from './core/connect-gate.ts'
import { LOG_LEVELS, type LogLevel } from '../shared/log.ts'
import { sessionsPathOf, type SessionsPath } from '../shared/sessions-path.ts'

/**
 * The configuration: the environment, parsed once, at the start. Whatever is wrong is said at once and together, and the
 * process exits with 78, which systemd does not answer with a restart.
 */
export interface Config extends AccessConfig {
  readonly port: number
  readonly host: string
  /** Absolute. */
  readonly sessionsPath: string
  /** Where `sessionsPath` came from; `default` is no place for sessions that matter. */
  readonly sessionsPathFrom: SessionsPath['from']
  /** HETZNER_SESSIONS_PATH is a mounted volume: it must exist, and is never created. */
  readonly volumePath: string | undefined
  readonly maxAccounts: number
  readonly accountEnv: string
  readonly spawnStaggerMinMs: number
  readonly spawnStaggerMaxMs: number
  readonly maxReconnectAttempts: number
  readonly healthCheckIntervalMs: number
  readonly staleConnectionThresholdMs: number
  readonly shutdownTimeoutMs: number
  /** Sockets that the whole fleet opens in a second: while all is well, and at the least. */
  readonly connectRateMax: number
  readonly connectRateMin: number
  /** How long a session that was set aside is kept; 0 is for ever. */
  readonly setAsideDays: number
  readonly logLevel: LogLevel
  /** `auto`: the journal under systemd, pretty on a terminal, else JSON. */
  readonly logFormat: LogFormat
  /** Absolute: where journald's sockets are. */
  readonly journalSockets: string
  /** What systemd says to the service it starts. */
  readonly systemd: SystemdConfig
  readonly waSocketUrl: string | null
  readonly waNoiseRootKey: string | null
  readonly waVersion: readonly [number, number, number] | null
  /** Where a newer client version is looked up when WhatsApp refuses the present one; null: nowhere. */
  readonly waVersionUrl: string | null
  readonly workerMemoryMb: number
  /** Workers run the bundle that the build made; else the compiled files as they are. */
  readonly workerBundle: boolean
  /** Null: no backups are kept. */
  readonly backup: BackupConfig | null
}

export const LOG_FORMATS = ['auto', 'json', 'pretty', 'journal'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

export interface SystemdConfig {
  /** NOTIFY_SOCKET; null: nobody wants to be told. */
  readonly notifySocket: string | null
  /** WATCHDOG_USEC: without a sign of life for so long the process is killed; null: no watchdog. */
  readonly watchdogMs: number | null
  /** WATCHDOG_PID: whom it is meant for, if that is said. */
  readonly watchdogPid: number | null
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The whole configuration, or everything that is wrong with it: one sentence an error, for the terminal. */
export type ParsedConfig = { config: Config; errors?: undefined } | { config?: undefined; errors: string[] }

const SETTINGS = [
  'PORT',
  'HOST',
  ...ACCESS_SETTINGS,
  'SESSIONS_PATH',
  'HETZNER_SESSIONS_PATH',
  'MAX_ACCOUNTS',
  'ACCOUNT_ENV',
  'SPAWN_STAGGER_MIN_MS',
  'SPAWN_STAGGER_MAX_MS',
  'MAX_RECONNECT_ATTEMPTS',
  'HEALTH_CHECK_INTERVAL_MS',
  'STALE_CONNECTION_THRESHOLD_MS',
  'SHUTDOWN_TIMEOUT_MS',
  'CONNECT_RATE_MAX',
  'CONNECT_RATE_MIN',
  'SET_ASIDE_DAYS',
  'LOG_LEVEL',
  'LOG_FORMAT',
  'JOURNAL_SOCKETS',
  'WA_SOCKET_URL',
  'WA_NOISE_ROOT_KEY',
  'WA_VERSION',
  'WA_VERSION_URL',
  'WORKER_MEMORY_MB',
  'WORKER_BUNDLE',
  ...BACKUP_SETTINGS,
] as const
type Setting = (typeof SETTINGS)[number]

/** Names the revision that WhatsApp's servers want of WhatsApp Web. */
const WHATSAPP_WEB = 'https://web.whatsapp.com/sw.js'
/** A day: longer intervals than this are a mistaken unit. */
const DAY_MS = 86_400_000
/** Connects a second: slower than one in ten seconds brings no fleet back; faster than this no machine can log in. */
const RATE_LEAST = 0.1
const RATE_MOST = 100
/** Ten years: whoever wants more says 0, for ever. */
const MOST_SET_ASIDE_DAYS = 3650
/** @param cwd what `./.baileys_auth` and relative paths are relative to */
export function parseConfig(env: Environment, cwd: string): ParsedConfig {
  const errors = typos(env)
  // A variable that is set to nothing is what a shell or a unit file leaves of one that is not set.
  const get = (name: Setting): string | undefined => env[name]?.trim() || undefined

  const integer = (name: Setting, fallback: number, min: number, max: number): number => {
    const text = get(name)
    if (text === undefined) return fallback
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    errors.push(`${name} is "${text}": set it to a whole number from ${min} to ${max}.`)
    return fallback
  }

  const rate = (name: Setting, fallback: number): number => {
    const text = get(name)
    if (text === undefined) return fallback
    const value = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
    if (value >= RATE_LEAST && value <= RATE_MOST) return value
    errors.push(`${name} is "${text}": set it to connects a second, a number from ${RATE_LEAST} to ${RATE_MOST}.`)
    return fallback
  }

  const host = get('HOST') ?? '127.0.0.1'
  if (isIP(host) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)) {
    errors.push(`HOST is "${host}": set it to an address such as 127.0.0.1 or 0.0.0.0.`)
  }
  const credentialsDirectory = env['CREDENTIALS_DIRECTORY']
  const access = parseAccess(get, host, credentialsDirectory, errors)

  const errorsBefore = errors.length
  const spawnStaggerMinMs = integer('SPAWN_STAGGER_MIN_MS', 2000, 0, DAY_MS)
  const spawnStaggerMaxMs = integer(
    'SPAWN_STAGGER_MAX_MS',
    get('SPAWN_STAGGER_MIN_MS') === undefined ? 5000 : Math.max(5000, spawnStaggerMinMs),
    0,
    DAY_MS,
  )
  if (errors.length === errorsBefore && spawnStaggerMaxMs < spawnStaggerMinMs) {
    errors.push(
      `SPAWN_STAGGER_MAX_MS is ${spawnStaggerMaxMs}, less than SPAWN_STAGGER_MIN_MS (${spawnStaggerMinMs}): set both, the smaller first.`,
    )
  }

  const rateErrorsBefore = errors.length
  const connectRateMax = rate('CONNECT_RATE_MAX', GATE_LIMITS.maxPerSecond)
  const connectRateMin = rate('CONNECT_RATE_MIN', Math.min(GATE_LIMITS.minPerSecond, connectRateMax))
  if (errors.length === rateErrorsBefore && connectRateMax < connectRateMin) {
    errors.push(
      `CONNECT_RATE_MAX is ${connectRateMax}, less than CONNECT_RATE_MIN (${connectRateMin}): set both, the larger as CONNECT_RATE_MAX.`,
    )
  }

  const accountEnv = get('ACCOUNT_ENV') ?? 'prod'
  if (!/^[a-z0-9]{1,20}$/i.test(accountEnv)) {
    errors.push(`ACCOUNT_ENV is "${accountEnv}": use up to 20 letters and digits, it becomes a part of file names.`)
  }
  const levelText = get('LOG_LEVEL') ?? 'info'
  const logLevel = LOG_LEVELS.find((level) => level === levelText)
  if (logLevel === undefined) errors.push(`LOG_LEVEL is "${levelText}": use one of ${LOG_LEVELS.join(', ')}.`)

  const formatText = get('LOG_FORMAT') ?? 'auto'
  const logFormat = LOG_FORMATS.find((format) => format === formatText)
  if (logFormat === undefined) errors.push(`LOG_FORMAT is "${formatText}": use one of ${LOG_FORMATS.join(', ')}.`)

  const bundleText = get('WORKER_BUNDLE') ?? 'on'
  const workerBundle = bundleText === 'on'
  if (!workerBundle && bundleText !== 'off') errors.push(`WORKER_BUNDLE is "${bundleText}": use on or off.`)

  const { path: sessionsPath, from: sessionsPathFrom, volumePath } = sessionsPathOf(env, cwd)
  const config: Config = {
    port: integer('PORT', 8080, 0, 65_535),
    host,
    ...access,
    sessionsPath,
    sessionsPathFrom,
    volumePath,
    maxAccounts: integer('MAX_ACCOUNTS', 30, 1, 10_000),
    accountEnv,
    spawnStaggerMinMs,
    spawnStaggerMaxMs,
    maxReconnectAttempts: integer('MAX_RECONNECT_ATTEMPTS', 5, 1, 1000),
    healthCheckIntervalMs: integer('HEALTH_CHECK_INTERVAL_MS', 60_000, 100, DAY_MS),
    staleConnectionThresholdMs: integer('STALE_CONNECTION_THRESHOLD_MS', 300_000, 100, DAY_MS),
    shutdownTimeoutMs: integer('SHUTDOWN_TIMEOUT_MS', 10_000, 100, DAY_MS),
    connectRateMax,
    connectRateMin,
    setAsideDays: integer('SET_ASIDE_DAYS', 90, 0, MOST_SET_ASIDE_DAYS),
    logLevel: logLevel ?? 'info',
    logFormat: logFormat ?? 'auto',
    journalSockets: resolve(cwd, get('JOURNAL_SOCKETS') ?? '/run/systemd/journal'),
    systemd: parseSystemd(env),
    waSocketUrl: socketUrl(get('WA_SOCKET_URL'), errors),
    waNoiseRootKey: noiseRootKey(get('WA_NOISE_ROOT_KEY'), errors),
    waVersion: version(get('WA_VERSION'), errors),
    waVersionUrl: versionUrl(get('WA_VERSION_URL'), errors),
    workerMemoryMb: integer('WORKER_MEMORY_MB', 200, 64, 16_384),
    workerBundle,
    backup: parseBackup({ get, integer, cwd, credentialsDirectory }, errors),
  }
  return errors.length > 0 ? { errors } : { config: Object.freeze(config) }
}

/** systemd's own variables: what is not as it writes them is none of its, and no error of a person. */
function parseSystemd(env: Environment): SystemdConfig {
  const count = (text: string | undefined): number | null =>
    text && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null
  const socket = env['NOTIFY_SOCKET']
  const watchdogUs = count(env['WATCHDOG_USEC'])
  return {
    notifySocket: socket !== undefined && /^[/@]./.test(socket) ? socket : null,
    watchdogMs: watchdogUs === null ? null : watchdogUs / 1000,
    watchdogPid: count(env['WATCHDOG_PID']),
  }
}

function socketUrl(text: string | undefined, errors: string[]): string | null {
  if (text === undefined) return null
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'wss:') return text
  if (url?.protocol === 'ws:' && isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) return text
  errors.push(
    `WA_SOCKET_URL is "${text}": use a wss:// address, or ws:// to this machine (ws://127.0.0.1:PORT/ws/chat). ` +
      'Without TLS nothing protects the accounts on the way.',
  )
  return null
}

function noiseRootKey(text: string | undefined, errors: string[]): string | null {
  if (text === undefined) return null
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase()
  errors.push(`WA_NOISE_ROOT_KEY has ${text.length} characters: use the 64 hex digits that the simulator prints.`)
  return null
}

function version(text: string | undefined, errors: string[]): Config['waVersion'] {
  if (text === undefined) return null
  const match = /^(\d{1,4})\.(\d{1,6})\.(\d{1,12})$/.exec(text)
  if (match) return [Number(match[1]), Number(match[2]), Number(match[3])]
  errors.push(`WA_VERSION is "${text}": use three numbers such as 2.3000.1043857760.`)
  return null
}

function versionUrl(text: string | undefined, errors: string[]): string | null {
  if (text === undefined) return WHATSAPP_WEB
  if (text === 'off') return null
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:') return text
  if (url?.protocol === 'http:' && isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) return text
  errors.push(
    `WA_VERSION_URL is "${text}": use an https:// address whose page names WhatsApp Web's revision, or "off".`,
  )
  return null
}

/** Variables one or two letters away from a setting: set by somebody who believes that they count. */
function typos(env: Environment): string[] {
  const known = new Set<string>(SETTINGS)
  return Object.keys(env).flatMap((name) => {
    // Short names (HOME, POST) are too near to too much.
    if (known.has(name) || name.length < 8 || !name.includes('_')) return []
    const meant = SETTINGS.find((setting) => setting.length >= 8 && isTypo(setting, name))
    return meant === undefined ? [] : [`${name} is no setting: did you mean ${meant}?`]
  })
}

/** Short settings have neighbours that are somebody else's: WA_VERSION and PG_VERSION. */
function isTypo(setting: string, name: string): boolean {
  return setting.slice(0, 2) === name.slice(0, 2) && editDistance(setting, name) <= (setting.length < 12 ? 1 : 2)
}

function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost)
    }
    row = next
  }
  return row[b.length] ?? 3
}
