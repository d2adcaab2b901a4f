import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Clock } from '../../../shared/clock.ts'
import { AppError, errnoOf, messageOf } from '../../../shared/errors.ts'
import type { Config } from '../../config.ts'
import type { CommandResult } from './context.ts'
import { plainText, sizeInWords } from '../words.ts'

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const Started = Type.Object({ pending: Type.Array(Type.String()) })
const Failure = Compile(Type.Object({ error: Type.Object({ code: Type.String(), message: Type.String() }) }))
const Rows = Type.Object({
  timestamp: Type.String(),
  accounts: Type.Array(
    Type.Object({
      accountId: Type.String(),
      backup: Nullable(
        Type.Object({
          revision: Nullable(Type.Integer()),
          savedAt: Nullable(Type.String()),
          bytes: Nullable(Type.Integer()),
          pending: Type.Boolean(),
          error: Nullable(Type.String()),
        }),
      ),
    }),
  ),
})
type Row = Static<typeof Rows>['accounts'][number]
const started = Compile(Started)
const rows = Compile(Rows)

const REQUEST_DEADLINE_MS = 15_000
const POLL_MS = 500

interface SaveNowOptions {
  config: Config
  clock: Clock
  print: (line: string) => void
  /** How long to wait until nothing is pending any more. */
  waitMs: number
}

/** The running service is asked, because the backups are its own. */
export async function saveNow(accountId: string | undefined, options: SaveNowOptions): Promise<CommandResult> {
  const { config, clock, print, waitMs } = options
  const ask = await connect(config)
  const path = accountId === undefined ? '/api/whatsapp/backup-now' : `/api/whatsapp/accounts/${accountId}/backup-now`
  const before = await ask('GET', '/api/status/dashboard', rows)
  const { pending } = await ask('POST', path, started)
  if (pending.length === 0) print('Everything is saved already.')
  const waiting = new Set(pending)
  const endMs = clock.monotonicMs() + waitMs
  for (;;) {
    const { accounts } = await ask('GET', '/api/status/dashboard', rows)
    for (const row of accounts) {
      if (!waiting.has(row.accountId) || !isSaved(row, before.timestamp)) continue
      waiting.delete(row.accountId)
      print(describe(row))
    }
    // One that was removed meanwhile has nothing to be waited for.
    for (const id of waiting) if (!accounts.some((row) => row.accountId === id)) waiting.delete(id)
    if (waiting.size === 0) return 0
    if (clock.monotonicMs() >= endMs) {
      for (const row of accounts) {
        if (waiting.has(row.accountId))
          print(`${row.accountId}: NOT SAVED: ${plainText(row.backup?.error ?? 'not yet')}`)
      }
      return 1
    }
    await pause(POLL_MS)
  }
}

/** A busy account has something new at any moment: what was there when it was asked for is what counts. */
function isSaved({ backup }: Row, askedAt: string): boolean {
  return backup === null || !backup.pending || (backup.savedAt !== null && backup.savedAt > askedAt)
}

function describe({ accountId, backup }: Row): string {
  if (backup === null || backup.revision === null) return `${accountId}: has no session to save`
  return `${accountId}: saved as revision ${backup.revision}, ${sizeInWords(backup.bytes ?? 0)}, at ${backup.savedAt}`
}

interface Check<T> {
  Check(value: unknown): value is T
}
type Ask = <T>(method: string, path: string, shape: Check<T>) => Promise<T>

async function connect(config: Config): Promise<Ask> {
  const token = await tokenOf(config)
  // An address of all interfaces is none to connect to.
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  const host = everywhere[config.host] ?? config.host
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${config.port}`
  return async (method, path, shape) => {
    const request = { method, headers: { authorization: `Bearer ${token}` } }
    let response: Response
    let body: unknown
    try {
      response = await fetch(url + path, { ...request, signal: AbortSignal.timeout(REQUEST_DEADLINE_MS) })
      body = await response.json()
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      throw new AppError(
        'unavailable',
        `The service does not answer at ${url} (${errnoOf(cause) ?? messageOf(cause)}): start it, or set HOST and PORT as ` +
          'they are for it. A service that is stopped has saved everything as it stopped; its log says so if not.',
      )
    }
    if (response.ok && shape.Check(body)) return body
    if (Failure.Check(body) && response.status === 401) {
      throw new AppError('unauthorized', `The service at ${url} refuses the token: set ADMIN_TOKEN as it is for it.`)
    }
    throw Failure.Check(body)
      ? new AppError(body.error.code === 'backups_disabled' ? 'backups_disabled' : 'bad_request', body.error.message)
      : new AppError('unavailable', `What answers at ${url} is not this service (status ${response.status}).`)
  }
}

async function tokenOf(config: Config): Promise<string> {
  if (config.adminToken !== undefined) return config.adminToken
  const path = join(config.sessionsPath, 'admin-token')
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new AppError(
      'bad_config',
      `There is no token to ask the service with: ADMIN_TOKEN is not set, and ${path} can not be read ` +
        `(${errnoOf(error) ?? messageOf(error)}). Set ADMIN_TOKEN or SESSIONS_PATH as they are for the service.`,
    )
  }
}
