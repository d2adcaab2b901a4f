import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../../../shared/errors.ts'
import type { CommandContext, CommandResult } from './context.ts'
import { keyInWords, plainText } from '../words.ts'

/** The worker's own reader of sessions, in a process of its own: the supervisor has none. */
const SESSION_COMMAND = fileURLToPath(new URL('../../../worker/session/session-command.js', import.meta.url))
/** A large session takes a second; on a machine that swaps, some more. */
const CHECK_DEADLINE_MS = 120_000

/**
 * Fetches and opens every revision that is kept, and reads the session in it to its end: every checksum, the creds, and
 * that a phone is linked. The live sessions are not touched, and the service may run. The opened session lies in a
 * directory of its own (0700) while it is read, and is gone afterwards.
 */
export async function verifyBackups(context: CommandContext, only: string | undefined): Promise<CommandResult> {
  const { place, print } = context
  const accountIds = only === undefined ? (await place.target.readAccounts()).map(({ accountId }) => accountId) : [only]
  let checked = 0
  let wrong = 0
  for (const accountId of accountIds.sort()) {
    const archives = await place.target.listArchives(accountId).catch((error: unknown) => {
      print(`${accountId}: ${plainText(messageOf(error))}`)
      return undefined
    })
    if (archives === undefined) wrong++
    else if (archives.length === 0) {
      print(`${accountId}: no backup is kept`)
      if (only !== undefined) wrong++
    }
    for (const { rev, keyId } of archives ?? []) {
      const problem = await problemOf(context, accountId, rev)
      checked++
      if (problem !== undefined) wrong++
      const key = `key ${keyId}, ${keyInWords(keyId, context.keyRing)}`
      print(`${accountId} revision ${rev}: ${problem === undefined ? 'ok' : `WRONG: ${plainText(problem)}`} (${key})`)
    }
  }
  if (wrong > 0) {
    print(
      'A revision that is wrong is never restored: the other revision of the account is taken if it is well. The next',
    )
    print('backup takes the place of the older one; what needs another key opens with that key in BACKUP_OLD_KEYS.')
  }
  print(`${checked} revisions of ${accountIds.length} accounts checked, ${wrong === 0 ? 'all well' : `${wrong} wrong`}`)
  return wrong === 0 ? 0 : 1
}

async function problemOf(context: CommandContext, accountId: string, rev: number): Promise<string | undefined> {
  const { place } = context
  try {
    const bytes = await place.open(accountId, await place.target.readArchive(accountId, rev))
    return await problemInside(context, accountId, bytes)
  } catch (error) {
    return messageOf(error)
  }
}

async function problemInside(
  { onSignal }: CommandContext,
  accountId: string,
  bytes: Buffer,
): Promise<string | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'backup-verify-'))
  const child = new AbortController()
  const done = onSignal(() => {
    child.abort()
    rmSync(directory, { recursive: true, force: true })
  })
  try {
    await mkdir(join(directory, accountId), { mode: 0o700 })
    await writeFile(join(directory, accountId, 'session.log'), bytes, { mode: 0o600 })
    const problem = await checkSession(accountId, directory, child.signal)
    // What the check says after this is how to mend a live session.
    const what = problem?.replaceAll(directory, '').split(' Nothing was changed.')[0]
    return what === undefined ? undefined : `it opens, and holds no whole session: ${what}`
  } finally {
    await rm(directory, { recursive: true, force: true })
    done()
  }
}

/** @returns what is wrong, in the command's own words */
function checkSession(accountId: string, directory: string, signal: AbortSignal): Promise<string | undefined> {
  const args = [SESSION_COMMAND, 'check', accountId, '--linked', '--sessions', directory]
  return new Promise((resolve) => {
    // Nothing of the environment: the child needs no key.
    execFile(process.execPath, args, { env: {}, signal, timeout: CHECK_DEADLINE_MS }, (error, _stdout, stderr) => {
      if (error === null) return resolve(undefined)
      const first = stderr.split('\n').find((line) => line.trim() !== '')
      resolve(
        error.killed === true ? `its check had no result after ${CHECK_DEADLINE_MS} ms` : (first ?? error.message),
      )
    })
  })
}
