/** `npm run backup -- ...`: what is kept, whether it restores, and what an operator does with it. */
import { parseArgs } from 'node:util'
import { isAccountId } from '../../shared/account-id.ts'
import { systemClock } from '../../shared/clock.ts'
import { AppError, messageOf } from '../../shared/errors.ts'
import { EXIT } from '../../shared/exit-codes.ts'
import { createLog } from '../../shared/log.ts'
import { SessionError } from '../../shared/session/session-error.ts'
import { parseConfig, type Config } from '../config.ts'
import type { BackupConfig } from '../config-backup.ts'
import type { CommandContext, CommandResult } from './command/context.ts'
import { restoreAccount } from './command/restore-account.ts'
import { rotateKey } from './command/rotate-key.ts'
import { saveNow } from './command/save-now.ts'
import { showStatus } from './command/show-status.ts'
import { verifyBackups } from './command/verify.ts'
import { openPlace } from './create-backups.ts'
import { parseKeyRing } from './seal.ts'
import { BackupError } from './target.ts'

const USAGE = `Usage: npm run backup -- COMMAND

  status                  what is kept of each account: whose it is, revisions, ages, sizes, keys; no secrets
  now [ACCOUNT_ID] [--wait SECONDS]
                          the running service saves what no backup has, and this waits for it (120 s)
  verify [ACCOUNT_ID]     fetches and opens every revision and reads the session in it to its end; touches no live session
  restore ACCOUNT_ID      puts the newest backup into the account's empty directory (the service is stopped)
  rotate-key              seals every backup of this host with the present key (the service is stopped)

The environment is that of the service: FIRESTORE_PROJECT_ID, GOOGLE_APPLICATION_CREDENTIALS, BACKUP_ENCRYPTION_KEY,
BACKUP_OLD_KEYS, SESSIONS_PATH and so on; for "now" HOST, PORT and ADMIN_TOKEN, or the admin-token in SESSIONS_PATH.
Exit: 0 fine, 1 something is wrong with a backup, 64 wrong usage, 69 the service runs or does not run, or Firestore can
not be reached, 70 a bug, 74 the disk failed, 75 the session is in use, 78 a setting is missing or wrong.`

/** EX_USAGE of sysexits.h; and what a shell expects of a program that a signal ended. */
const USAGE_CODE = 64
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143 } as const

class UsageError extends Error {}

interface Operands {
  accountId: string | undefined
  waitMs: number
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const cleanUps = new Set<() => void>()

/** `operand`: whether the command takes an account. */
const COMMANDS: Readonly<
  Record<string, { operand: 'none' | 'optional' | 'required'; run(operands: Operands): Promise<CommandResult> }>
> = {
  status: { operand: 'none', run: () => withTarget(showStatus) },
  now: {
    operand: 'optional',
    run: ({ accountId, waitMs }) => saveNow(accountId, { config: config(), clock: systemClock, print, waitMs }),
  },
  verify: { operand: 'optional', run: ({ accountId }) => withTarget((context) => verifyBackups(context, accountId)) },
  restore: {
    operand: 'required',
    run: ({ accountId = '' }) => withTarget((context) => restoreAccount(context, accountId)),
  },
  'rotate-key': { operand: 'none', run: () => withTarget(rotateKey) },
}

function config(): Config {
  const parsed = parseConfig(process.env, process.cwd())
  if (parsed.config !== undefined) return parsed.config
  throw new AppError('bad_config', parsed.errors.map((error) => `Configuration: ${error}`).join('\n'))
}

async function withTarget(work: (context: CommandContext) => Promise<CommandResult>): Promise<CommandResult> {
  const settings = config()
  const backup = backupOf(settings)
  // What the command has to say it prints; these lines are for what it did not expect.
  const log = createLog('warn', process.stderr)
  const place = await openPlace(backup, systemClock, log)
  const base64 = (key: Buffer): string => key.toString('base64')
  const keyRing = parseKeyRing(base64(backup.key), backup.oldKeys.map(base64))
  const onSignal = (cleanUp: () => void): (() => void) => {
    cleanUps.add(cleanUp)
    return () => cleanUps.delete(cleanUp)
  }
  try {
    return await work({ config: settings, place, keyRing, clock: systemClock, log, print, onSignal })
  } finally {
    await place.target.close()
    await place.stop()
  }
}

function backupOf({ backup }: Config): BackupConfig {
  if (backup !== null) return backup
  throw new AppError(
    'bad_config',
    'FIRESTORE_PROJECT_ID is not set, so no backups are kept: set it, GOOGLE_APPLICATION_CREDENTIALS and ' +
      'BACKUP_ENCRYPTION_KEY as they are for the service.',
  )
}

async function run(args: readonly string[]): Promise<CommandResult> {
  const { values, positionals } = parse(args)
  if (values.help === true) {
    print(USAGE)
    return 0
  }
  const [name = '', accountId, ...rest] = positionals
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new UsageError(name === '' ? 'no command' : `no command "${name}"`)
  if (accountId === undefined && command.operand === 'required') throw new UsageError(`${name} takes an account id`)
  const excess = command.operand === 'none' ? accountId : rest[0]
  if (excess !== undefined) throw new UsageError(`${name} takes no "${excess}"`)
  if (accountId !== undefined && !isAccountId(accountId)) throw new UsageError(`"${accountId}" is no account id`)
  if (values.wait !== undefined && name !== 'now') throw new UsageError(`${name} takes no --wait`)
  return command.run({ accountId, waitMs: waitMs(values.wait ?? '120') })
}

function waitMs(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new UsageError(`--wait is "${text}": a whole number of seconds, up to 99999`)
  return Number(text) * 1000
}

function parse(args: readonly string[]): { values: { wait?: string; help?: boolean }; positionals: string[] } {
  try {
    return parseArgs({
      args: [...args],
      options: { wait: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof AppError) {
    if (error.code === 'unavailable') return EXIT.unavailable.code
    const isSetting = error.code === 'bad_config' || error.code === 'backups_disabled' || error.code === 'unauthorized'
    return isSetting ? EXIT.badConfig.code : 1
  }
  if (error instanceof SessionError) {
    return error.code === 'session_locked' ? EXIT.sessionLocked.code : EXIT.storageFailed.code
  }
  if (!(error instanceof BackupError)) return EXIT.crashed.code
  if (error.code === 'unreachable' || error.code === 'over_quota') return EXIT.unavailable.code
  return error.code === 'refused' ? EXIT.badConfig.code : 1
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const cleanUp of cleanUps) cleanUp()
    process.exit(SIGNAL_CODES[signal])
  })
}
let code: number
try {
  code = await run(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof UsageError
  process.stderr.write(isUsage ? `${error.message}\n\n${USAGE}\n` : `${messageOf(error)}\n`)
  code = isUsage ? USAGE_CODE : exitCodeOf(error)
}
// Connections that were given up would keep the process.
process.exit(code)
