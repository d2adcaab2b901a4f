/** `npm run session -- ...`: looks at, checks, exports and mends the sessions on this host. */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isAccountId } from '../../shared/account-id.ts'
import { messageOf } from '../../shared/errors.ts'
import { EXIT } from '../../shared/exit-codes.ts'
import { sessionsPathOf } from '../../shared/sessions-path.ts'
import { parseCreds } from './creds.ts'
import { exportSession } from './export.ts'
import { LOG_NAME } from './log-file.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import { putBackSession } from '../../shared/session/put-back.ts'
import { nodeFs } from '../../shared/session/session-fs.ts'
import { listIfThere, SET_ASIDE_DIR } from '../../shared/session/set-aside.ts'
import { parseSetAsideName, PURGING } from '../../shared/session/set-aside-name.ts'
import { lockSession } from '../../shared/session/session-lock.ts'
import { recoverSession } from './recover.ts'
import { CREDS_KEY } from './session-key.ts'
import { readStoredSession, type StoredSession } from './stored-session.ts'

const USAGE = `Usage: npm run session -- COMMAND [--sessions PATH]

  show ACCOUNT_ID         what the session holds: counts and sizes, no secrets
  check ACCOUNT_ID [--linked]
                          reads all of it and verifies every checksum; --linked: its creds as well, and that a phone is
                          linked
  export ACCOUNT_ID DIR   writes it as Baileys' multi-file layout into an empty or absent DIR (the account is stopped)
  recover ACCOUNT_ID --from readable|previous
                          makes a damaged session usable: from what stands before the damage, or from the log before
                          the last compaction; the damaged files are set aside first (the account is stopped)
  set-aside ACCOUNT_ID    the sessions of this account that were set aside, newest first
  put-back ACCOUNT_ID ID  makes one of them its session again; the present one is set aside (the account is stopped)

PATH: --sessions, or SESSIONS_PATH, or HETZNER_SESSIONS_PATH/baileys_auth, or ./.baileys_auth.
Exit: 0 fine, 64 wrong usage, 65 damaged or not linked, 66 no such session, 74 the disk failed, 75 in use.`

/** EX_USAGE and EX_NOINPUT of sysexits.h; the others are the worker's own. */
const USAGE_CODE = 64
const NOT_FOUND_CODE = 66

type Print = (line: string) => void

interface Request {
  readonly accountId: string
  readonly sessionsPath: string
  readonly dir: string
  readonly from: string | undefined
  readonly linked: boolean
  readonly rest: readonly string[]
  readonly print: Print
}

class UsageError extends Error {}
class NotLinkedError extends Error {}

const COMMANDS: Readonly<Record<string, { readonly operands: number; run(request: Request): Promise<void> }>> = {
  show: { operands: 0, run: show },
  check: { operands: 0, run: check },
  export: { operands: 1, run: exportTo },
  recover: { operands: 0, run: recover },
  'set-aside': { operands: 0, run: listSetAside },
  'put-back': { operands: 1, run: putBack },
}

async function show({ accountId, dir, print }: Request): Promise<void> {
  const stored = await readStoredSession(dir)
  await stored.close()
  print(`account   ${accountId}`)
  print(`directory ${dir}`)
  for (const line of summary(stored)) print(line)
  for (const [type, count] of Object.entries(stored.keysByType).sort()) print(`  ${type.padEnd(22)} ${count}`)
}

async function check({ accountId, dir, linked, print }: Request): Promise<void> {
  const stored = await readStoredSession(dir)
  try {
    for await (const { key, value } of stored.entries()) {
      JSON.parse(value.toString('utf8'))
      if (!linked || key !== CREDS_KEY) continue
      const { me, account } = parseCreds(value, join(dir, LOG_NAME))
      if (me === undefined || account === undefined) throw new NotLinkedError(`${accountId} is linked to no phone`)
    }
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

async function recover({ accountId, dir, sessionsPath, from, print }: Request): Promise<void> {
  if (from !== 'readable' && from !== 'previous') {
    throw new UsageError(`--from is ${from === undefined ? 'missing' : `"${from}"`}: readable or previous`)
  }
  const lock = await lockSession({ dir, waitMs: 0, create: false })
  try {
    const done = await recoverSession({ sessionsPath, accountId, from, nowMs: Date.now() })
    if (done === undefined) return print(`${accountId} is whole: nothing was done`)
    const { recordsKept, recordsLost, bytesLeftOut, revision } = done.recovery
    print(`${accountId} was recovered: ${recordsKept} records kept, up to revision ${revision}; ${recordsLost} lost`)
    print(`${bytesLeftOut} bytes of the damaged log were left out. All of it is kept in ${done.asidePath}`)
    print('The next messages of some contacts need a retry, which heals by itself.')
  } finally {
    await lock.release()
  }
}

async function listSetAside({ accountId, sessionsPath, print }: Request): Promise<void> {
  const aside = join(sessionsPath, SET_ASIDE_DIR)
  const found = (await listIfThere(nodeFs, aside)).flatMap(({ name, kind }) => {
    const parsed = kind === 'directory' ? parseSetAsideName(name) : undefined
    return parsed?.accountId === accountId && parsed.reason !== PURGING ? [parsed] : []
  })
  found.sort((a, b) => b.setAsideAtMs - a.setAsideAtMs || (a.id < b.id ? -1 : 1))
  if (found.length === 0) print(`${accountId} has no session in ${aside}`)
  for (const { id, setAsideAtMs, reason } of found) print(`${new Date(setAsideAtMs).toISOString()}  ${reason}  ${id}`)
}

/** Only an account's own: whose phone another one is, is for the service to compare. */
async function putBack({ accountId, sessionsPath, rest, print }: Request): Promise<void> {
  const session = rest[0] ?? ''
  if (parseSetAsideName(session)?.accountId !== accountId) {
    throw new UsageError(`"${session}" is no session that was set aside for ${accountId}`)
  }
  await putBackSession({ sessionsPath, accountId, session, nowMs: Date.now() }, 0)
  print(`${session} is the session of ${accountId} again: start the service, or the account in it`)
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
  const { sessions } = values
  const sessionsPath = sessions === undefined ? sessionsPathOf(process.env, process.cwd()).path : resolve(sessions)
  const { from, linked = false } = values
  await command.run({ accountId, sessionsPath, dir: join(sessionsPath, accountId), from, linked, rest, print })
}

function parse(args: readonly string[]): {
  values: { sessions?: string; from?: string; linked?: boolean; help?: boolean }
  positionals: string[]
} {
  try {
    return parseArgs({
      args: [...args],
      options: {
        sessions: { type: 'string' },
        from: { type: 'string' },
        linked: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
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
    process.exitCode =
      error instanceof SessionError
        ? exitCodeOf(error)
        : error instanceof NotLinkedError
          ? EXIT.sessionDamaged.code
          : EXIT.crashed.code
  }
}
