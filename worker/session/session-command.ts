/** `npm run session -- ...`: looks at, checks and exports the sessions on this host. */
import { isAbsolute, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isAccountId } from '../../shared/account-id.ts'
import { messageOf } from '../../shared/errors.ts'
import { EXIT } from '../../shared/exit-codes.ts'
import { exportSession } from './export.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import { lockSession } from '../../shared/session/session-lock.ts'
import { readStoredSession, type StoredSession } from './stored-session.ts'

const USAGE = `Usage: npm run session -- COMMAND [--sessions PATH]

  show ACCOUNT_ID         what the session holds: counts and sizes, no secrets
  check ACCOUNT_ID        reads all of it and verifies every checksum
  export ACCOUNT_ID DIR   writes it as Baileys' multi-file layout into an empty or absent DIR (the account is stopped)

PATH: --sessions, or SESSIONS_PATH, or HETZNER_SESSIONS_PATH/baileys_auth, or ./.baileys_auth.
Exit: 0 fine, 64 wrong usage, 65 damaged, 66 no such session, 74 the disk failed, 75 in use.`

/** EX_USAGE and EX_NOINPUT of sysexits.h; the others are the worker's own. */
const USAGE_CODE = 64
const NOT_FOUND_CODE = 66

type Print = (line: string) => void

interface Request {
  readonly accountId: string
  readonly dir: string
  readonly rest: readonly string[]
  readonly print: Print
}

class UsageError extends Error {}

const COMMANDS: Readonly<Record<string, { readonly operands: number; run(request: Request): Promise<void> }>> = {
  show: { operands: 0, run: show },
  check: { operands: 0, run: check },
  export: { operands: 1, run: exportTo },
}

async function show({ accountId, dir, print }: Request): Promise<void> {
  const stored = await readStoredSession(dir)
  await stored.close()
  print(`account   ${accountId}`)
  print(`directory ${dir}`)
  for (const line of summary(stored)) print(line)
  for (const [type, count] of Object.entries(stored.keysByType).sort()) print(`  ${type.padEnd(22)} ${count}`)
}

async function check({ accountId, dir, print }: Request): Promise<void> {
  const stored = await readStoredSession(dir)
  try {
    for await (const entry of stored.entries()) JSON.parse(entry.value.toString('utf8'))
  } finally {
    await stored.close()
  }
  for (const line of summary(stored)) print(line)
  print(`${accountId} is whole`)
}

function summary({ contents, acknowledged }: StoredSession): string[] {
  const { sequence, records, endBytes, liveBytes, tornBytes, index } = contents
  return [
    `revision  ${sequence}${acknowledged === undefined ? '' : ` (acknowledged up to ${acknowledged})`}`,
    `size      ${endBytes} bytes, ${liveBytes} of them live, in ${records} records, ${index.size} entries`,
    ...(tornBytes === 0 ? [] : [`tail      ${tornBytes} bytes of an unfinished write, never acknowledged`]),
  ]
}

async function exportTo({ accountId, dir, rest, print }: Request): Promise<void> {
  const target = resolve(rest[0] ?? '')
  const lock = await lockSession({ dir, waitMs: 0, create: false })
  try {
    const { files, revision } = await exportSession(dir, target)
    print(`${accountId} at revision ${revision}: ${files} files written to ${target}`)
    print('Keep the account stopped here for as long as another program uses these files.')
  } finally {
    await lock.release()
  }
}

function resolveSessionsPath(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const fromVolume = env.HETZNER_SESSIONS_PATH ? join(env.HETZNER_SESSIONS_PATH, 'baileys_auth') : undefined
  const path = flag ?? (env.SESSIONS_PATH || fromVolume || '.baileys_auth')
  return isAbsolute(path) ? path : resolve(path)
}

async function run(args: readonly string[], print: Print): Promise<void> {
  const { values, positionals } = parse(args)
  if (values.help === true) {
    print(USAGE)
    return
  }
  const [name = '', accountId = '', ...rest] = positionals
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new UsageError(name === '' ? 'no command' : `no command "${name}"`)
  if (!isAccountId(accountId)) throw new UsageError(`"${accountId}" is no account id`)
  if (rest.length !== command.operands)
    throw new UsageError(`${name} takes ${command.operands + 1} operands, not ${rest.length + 1}`)
  const sessionsPath = resolveSessionsPath(values.sessions, process.env)
  await command.run({ accountId, dir: join(sessionsPath, accountId), rest, print })
}

function parse(args: readonly string[]): { values: { sessions?: string; help?: boolean }; positionals: string[] } {
  try {
    return parseArgs({
      args: [...args],
      options: { sessions: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}

function exitCodeOf(error: SessionError): number {
  switch (error.code) {
    case 'session_damaged':
    case 'session_conflict':
    case 'session_version':
    case 'recovery_refused':
      return EXIT.sessionDamaged.code
    case 'session_locked':
      return EXIT.sessionLocked.code
    case 'session_not_found':
      return NOT_FOUND_CODE
    case 'storage_full':
    case 'storage_failed':
      return EXIT.storageFailed.code
    case 'destination_refused':
      return USAGE_CODE
    case 'session_closed':
      return EXIT.crashed.code
    default:
      return error.code satisfies never
  }
}

try {
  await run(process.argv.slice(2), (line) => process.stdout.write(`${line}\n`))
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${USAGE}\n`)
    process.exitCode = USAGE_CODE
  } else {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exitCode = error instanceof SessionError ? exitCodeOf(error) : EXIT.crashed.code
  }
}
