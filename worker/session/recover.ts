/**
 * A damaged session is made usable again, at the operator's word alone: see also session.ts, which refuses it. And a
 * session that is not there at all comes back from a backup: then there is nothing to lose, and nobody has to say so.
 *
 * | from | what becomes the session | what is lost |
 * |---|---|---|
 * | readable | all whole records of session.log before the damage | everything after it |
 * | previous | session.log.prev: the whole log before the last compaction | everything since then |
 * | backup | session.restore-TIME: a whole log that the supervisor fetched | everything since it was saved |
 *
 * - Both are states that the session once had, up to the last byte of them acknowledged at the time. Records after a
 *   damaged one are left out, though their checksums are right: a batch is one transaction of Baileys over several keys,
 *   and with one missing the rest would be a state that never existed, in which a deleted key is back or a ratchet does
 *   not fit its peer's. An older state that existed heals by itself; nobody knows what a made-up one does. For the same
 *   reason a log that is damaged within what compaction or take-over wrote at once has no readable part.
 * - The directory is set aside whole before anything changes: what was left out is not gone.
 * - The new log is written beside the old one, synced, read again, and takes its name by one rename: before it the
 *   session is damaged as it was, after it recovered; a crash leaves one of the two, and asking again is always safe.
 * - Its revisions go on above all that were ever acknowledged, so that session.ack stays true and a backup sees it as newer.
 * - afterRollback() is applied, and a note of what was done is an entry of the new log: it can't be there without it.
 */
import { join } from 'node:path'
import { Value } from 'typebox/value'
import type { AuthenticationCreds } from '@whiskeysockets/baileys'
import { Recovery, type RecoverFrom } from '../../shared/session/recovery.ts'
import { damagedError, isAbsent, openError, SessionError, storageError } from '../../shared/session/session-error.ts'
import { nodeFs, readFully, type SessionFile, type SessionFs } from '../../shared/session/session-fs.ts'
import { readAck } from './ack-mark.ts'
import { afterRollback } from './after-rollback.ts'
import { copyAside } from './copy-aside.ts'
import { crc32 } from './crc32.ts'
import { parseCreds, sameIdentity, serializeCreds } from './creds.ts'
import {
  LOG_NAME,
  PREVIOUS_LOG_NAME,
  publishLog,
  removeIfPresent,
  removeTemporaryLog,
  writeTemporaryLog,
} from './log-file.ts'
import type { LogEntry } from './log-record.ts'
import { scanLog, scanReadablePart, type LogContents } from './log-scan.ts'
import { INBOX_PREFIX } from './inbox-store.ts'
import { holdsSession, inspectDir, type SessionDir } from './session-dir.ts'
import { CREDS_FILE, CREDS_KEY, RECOVERY_KEY } from './session-key.ts'
import { readStoredSession } from './stored-session.ts'

export interface RecoverOptions {
  readonly sessionsPath: string
  readonly accountId: string
  readonly from: RecoverFrom
  readonly nowMs: number
  readonly fs?: SessionFs
}

/** A source of the new log: an open file, and what of it is kept. */
interface Source {
  readonly file: SessionFile
  readonly path: string
  readonly contents: LogContents
}

/**
 * Recovers the session of an account; the caller holds the directory's lock, and nobody has the session open. Resolves
 * with undefined where it is whole: nothing was done then. Rejects with recovery_refused (and the reason), session_version
 * or storage_*; the session is then damaged as it was.
 */
export async function recoverSession(
  options: RecoverOptions,
): Promise<{ readonly recovery: Recovery; readonly asidePath: string | undefined } | undefined> {
  const { sessionsPath, accountId, from, nowMs, fs = nodeFs } = options
  const dir = join(sessionsPath, accountId)
  const found = await inspectDir(fs, dir)
  if (await isWhole(dir, fs)) {
    // Whatever their ages: what is on the disk is what WhatsApp and the contacts know.
    await dropRestoreFile(fs, dir, found)
    return undefined
  }
  const logPath = join(dir, LOG_NAME)
  const damaged = await measure(fs, logPath)
  const acknowledged = (await readAck(fs, dir)) ?? 0
  const source = await openFrom(fs, dir, found, from)
  try {
    const { contents } = source
    const lastSequence = Math.max(acknowledged, damaged.lastSequence, contents.sequence)
    const creds = await checkedCreds(fs, dir, source, from)
    const recovery: Recovery = {
      from,
      atMs: nowMs,
      recordsKept: contents.records,
      recordsLost: lastSequence - contents.sequence,
      bytesLeftOut: from === 'readable' ? contents.tornBytes : damaged.sizeBytes,
      revision: contents.sequence,
      ...(from === 'backup' && found.restore !== undefined ? { savedAtMs: found.restore.savedAtMs } : {}),
    }
    const asidePath = holdsSession(found)
      ? await copyAside({ sessionsPath, accountId, reason: 'damaged', nowMs, fs })
      : undefined
    await replaceLog(fs, dir, { entries: entriesOf(source, creds, recovery), firstSequence: lastSequence + 1 })
    await dropRestoreFile(fs, dir, found)
    return { recovery, asidePath }
  } catch (error) {
    throw storageError(error, 'recover', dir)
  } finally {
    await source.file.close()
  }
}

/** The note of the last recovery, from the log's own entry; undefined for one that this version does not know. */
export function parseRecovery(bytes: Buffer): Recovery | undefined {
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'))
    return Value.Check(Recovery, parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

async function isWhole(dir: string, fs: SessionFs): Promise<boolean> {
  try {
    const stored = await readStoredSession(dir, fs)
    try {
      for await (const { key, value } of stored.entries()) if (key === CREDS_KEY) parseCreds(value, LOG_NAME)
    } finally {
      await stored.close()
    }
    return true
  } catch (error) {
    const code = error instanceof SessionError ? error.code : undefined
    if (code === 'session_damaged' || code === 'session_not_found') return false
    throw error
  }
}

/** What can be said of the damaged log; nothing of it has to be readable. */
async function measure(fs: SessionFs, path: string): Promise<{ sizeBytes: number; lastSequence: number }> {
  let file: SessionFile
  try {
    file = await fs.open(path, 'r')
  } catch (error) {
    if (isAbsent(error)) return { sizeBytes: 0, lastSequence: 0 }
    throw openError(error, path)
  }
  try {
    const sizeBytes = await file.size()
    const lastSequence = await scanReadablePart(file, path).then(
      (part) => part.lastSequence,
      (error: unknown) => {
        if (error instanceof SessionError && error.code === 'session_damaged') return 0
        throw storageError(error, 'read', path)
      },
    )
    return { sizeBytes, lastSequence }
  } finally {
    await file.close()
  }
}

function openFrom(fs: SessionFs, dir: string, found: SessionDir, from: RecoverFrom): Promise<Source> {
  switch (from) {
    case 'readable':
      return openReadable(fs, join(dir, LOG_NAME))
    case 'previous':
      return openPrevious(fs, dir)
    case 'backup': {
      if (found.restore === undefined) throw refused(`There is no backup in ${dir} to restore from.`, from)
      return openSource(fs, join(dir, found.restore.name), from, (file, path) => scanWhole(file, path))
    }
    default:
      return from satisfies never
  }
}

/** A backup has no torn tail: it was whole when it was made. */
async function scanWhole(file: SessionFile, path: string): Promise<LogContents> {
  const contents = await scanLog(file, path)
  if (contents.tornBytes > 0) throw damagedError(path, `${contents.tornBytes} bytes at its end are no record`)
  return contents
}

async function dropRestoreFile(fs: SessionFs, dir: string, { restore }: SessionDir): Promise<void> {
  if (restore !== undefined) await removeIfPresent(fs, join(dir, restore.name))
}

async function openReadable(fs: SessionFs, path: string): Promise<Source> {
  return openSource(fs, path, 'readable', async (file) => {
    const { contents } = await scanReadablePart(file, path)
    if (contents.sequence >= contents.header.floorSequence) return contents
    throw refused(
      `${path} is damaged at byte ${contents.endBytes}, within what was written at once when it was put in place: ` +
        'what stands before it was never a whole session.',
      'readable',
    )
  })
}

async function openPrevious(fs: SessionFs, dir: string): Promise<Source> {
  const path = join(dir, PREVIOUS_LOG_NAME)
  return openSource(fs, path, 'previous', (file) => scanLog(file, path))
}

async function openSource(
  fs: SessionFs,
  path: string,
  from: RecoverFrom,
  scan: (file: SessionFile, path: string) => Promise<LogContents>,
): Promise<Source> {
  const file = await fs.open(path, 'r').catch((error: unknown) => {
    throw isAbsent(error) ? refused(`There is no ${path}.`, from) : openError(error, path)
  })
  try {
    return { file, path, contents: await scan(file, path) }
  } catch (error) {
    await file.close()
    if (error instanceof SessionError && error.code === 'session_damaged') {
      throw refused(`${path} can't be used: ${String(error.details['reason'])}.`, from)
    }
    throw storageError(error, 'read', path)
  }
}

/** The creds of the state to go back to, ready to be used again. */
async function checkedCreds(
  fs: SessionFs,
  dir: string,
  source: Source,
  from: RecoverFrom,
): Promise<AuthenticationCreds> {
  let creds: AuthenticationCreds
  try {
    creds = parseCreds(await readValue(source, CREDS_KEY), source.path)
  } catch (error) {
    if (error instanceof SessionError && error.code === 'session_damaged') {
      throw refused(`What can be read of ${source.path} holds no usable creds.`, from)
    }
    throw error
  }
  if (creds.me === undefined || creds.account === undefined) {
    throw refused(`What can be read of ${source.path} ends before a phone was linked.`, from)
  }
  const copy = await readCopy(fs, dir)
  if (copy !== undefined && !sameIdentity(creds, copy)) {
    throw refused(`${source.path} and creds.json beside it are two identities.`, from)
  }
  return afterRollback(creds, copy)
}

/** creds.json is replaced whole after each change: where it is whole, it may be newer than what is left of the log. */
async function readCopy(fs: SessionFs, dir: string): Promise<AuthenticationCreds | undefined> {
  try {
    return parseCreds(await fs.readFile(join(dir, CREDS_FILE)), CREDS_FILE)
  } catch {
    return undefined
  }
}

async function readValue({ file, path, contents }: Source, key: string): Promise<Buffer> {
  const location = contents.index.get(key)
  if (location === undefined) throw refused(`${path} holds no ${key}.`, 'readable')
  const value = await readFully(file, location.offset, location.length)
  if (value.length === location.length && crc32(value) === location.crc) return value
  throw new SessionError('storage_failed', `${path} changed while it was read: look at the disk.`, { file: path })
}

async function* entriesOf(source: Source, creds: AuthenticationCreds, recovery: Recovery): AsyncGenerator<LogEntry> {
  yield { key: CREDS_KEY, value: serializeCreds(creds) }
  yield { key: RECOVERY_KEY, value: Buffer.from(JSON.stringify(recovery)) }
  const inOrder = [...source.contents.index].sort(([, a], [, b]) => a.offset - b.offset)
  for (const [key] of inOrder) {
    // Numbers that the inbox has used since would be used once more, for other messages: a new stream begins.
    if (key === CREDS_KEY || key === RECOVERY_KEY || key.startsWith(INBOX_PREFIX)) continue
    yield { key, value: await readValue(source, key) }
  }
}

/** Whole or not at all: read again from the file, and only then put in place. */
async function replaceLog(
  fs: SessionFs,
  dir: string,
  log: { entries: AsyncIterable<LogEntry>; firstSequence: number },
): Promise<void> {
  try {
    const { file, contents } = await writeTemporaryLog(fs, dir, log)
    try {
      const again = await scanLog(file, LOG_NAME)
      if (again.tornBytes > 0 || again.sequence !== contents.sequence || again.index.size !== contents.index.size) {
        throw new SessionError('storage_failed', `The new log in ${dir} reads otherwise than it was written.`, { dir })
      }
      parseCreds(await readValue({ file, path: LOG_NAME, contents: again }, CREDS_KEY), LOG_NAME)
    } finally {
      await file.close()
    }
  } catch (error) {
    await removeTemporaryLog(fs, dir).catch(() => undefined)
    throw error
  }
  await publishLog(fs, dir)
}

const OTHER_WAY = {
  readable: 'Try the previous generation (previous), put back a set-aside session',
  previous: 'Try the readable part (readable), put back a set-aside session',
  backup: 'Try the readable part (readable), the previous generation (previous), put back a set-aside session',
} as const

function refused(why: string, from: RecoverFrom): SessionError {
  return new SessionError(
    'recovery_refused',
    `${why} Nothing was changed. ${OTHER_WAY[from]}, or remove the account and link it again.`,
    { from },
  )
}
