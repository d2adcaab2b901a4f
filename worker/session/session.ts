/**
 * Opens a session directory and gives Baileys its auth state. What lies in the directory decides what happens:
 *
 * | session.log | creds.json | other | result |
 * |---|---|---|---|
 * | whole | same identity, missing, older or broken | | the log; creds.json is written anew from it |
 * | whole, import entry open | any | sources | the log; the sources are moved aside first |
 * | whole | another identity | | session_conflict |
 * | whole | any | key files of Baileys' layout | session_conflict |
 * | damaged, unreadable, below the acknowledged revision | any | any | session_damaged |
 * | absent | any | session.ack, session.log.prev or imported-* | session_damaged: the log was taken away |
 * | absent | whole | | take-over of Baileys' layout (take-over.ts) |
 * | absent | broken, empty, unreadable | | session_damaged |
 * | absent | absent | key files of Baileys' layout | session_damaged |
 * | absent | absent | a backup to be restored | session_damaged: recover.ts comes first |
 * | absent | absent | nothing of a session | a new identity |
 *
 * Whatever is refused is left as it is. "Unreadable" is never "absent": only that last row makes a new identity.
 * The caller holds the directory's lock (session-lock.ts) from before this call until after close().
 */
import { join } from 'node:path'
import { initAuthCreds, type AuthenticationCreds, type AuthenticationState } from '@whiskeysockets/baileys'
import { systemClock, type Clock } from '../../shared/clock.ts'
import { errnoOf } from '../../shared/errors.ts'
import { openAck, readAck, type AckMark } from './ack-mark.ts'
import { createKeyStore, credsEntry } from './auth-state.ts'
import { parseCreds, sameIdentity } from './creds.ts'
import { openCredsFile, type CredsFile } from './creds-file.ts'
import { LOG_NAME, publishLog, removeIfPresent, writeTemporaryLog } from './log-file.ts'
import { inspectDir, type SessionDir } from './session-dir.ts'
import { damagedError, SessionError, storageError } from '../../shared/session/session-error.ts'
import { nodeFs, type SessionFs } from '../../shared/session/session-fs.ts'
import type { InboxRecord } from '../core/inbox.ts'
import { readInbox } from './inbox-store.ts'
import type { Recovery } from '../../shared/session/recovery.ts'
import { parseRecovery } from './recover.ts'
import { CREDS_FILE, CREDS_KEY, IMPORT_KEY, PROOF_KEY, RECOVERY_KEY } from './session-key.ts'
import { openLog } from './log-open.ts'
import type { CompactionLimits, CompactionOutcome, SessionLog } from './session-log.ts'
import { importStockFiles, moveSourcesAside } from './take-over.ts'

export type SessionOrigin = 'new' | 'existing' | 'imported'

export interface Session {
  /** For makeWASocket({ auth }). */
  readonly authState: AuthenticationState
  /** Stores the creds as they are now; durable when it resolves, in order with keys.set. */
  saveCreds(): Promise<void>
  /**
   * Appends a record of no consequence: resolves when the disk took it, rejects with storage_*. Before a socket opens, so
   * that nothing is sent to a device that can't keep it; an open alone only overwrites what is there.
   */
  proveWritable(): Promise<void>
  /** Of the last durable record; grows with each one, not always by one. */
  readonly revision: number
  readonly origin: SessionOrigin
  /** The inbox as it was when the session was opened; what is added comes through the auth state's keys. */
  readonly inbox: readonly InboxRecord[]
  /** The last recovery, where the session has been through one: see recover.ts. */
  readonly recovery: Recovery | undefined
  /** Resolves when a read or write failed: nothing is acknowledged after it, so the owner must end the socket. */
  readonly failed: Promise<SessionError>
  /** The whole session as one log file, and its revision: put in place as session.log it opens as this state. */
  snapshot(): Promise<{ readonly bytes: Buffer; readonly revision: number }>
  /** Resolves when all that was set before is durable and creds.json is current. */
  flush(): Promise<void>
  /** Flushes and closes; may be called twice. A disk that hangs makes it hang: the signal bounds the wait. */
  close(options?: { readonly signal?: AbortSignal }): Promise<void>
}

export interface OpenSessionOptions {
  readonly dir: string
  /** Told of each change: event name, dotted and past tense, and fields without secrets. */
  readonly log?: (event: string, fields: object) => void
  /** After each durable record; `creds`: they are among what it changed. */
  readonly onCommit?: (revision: number, creds: boolean) => void
  readonly compaction?: CompactionLimits
  readonly fs?: SessionFs
  readonly clock?: Clock
}

/** Rejects with session_damaged, session_conflict, session_version or storage_*; see the table above. */
export async function openSession(options: OpenSessionOptions): Promise<Session> {
  const { dir, fs = nodeFs, clock = systemClock, log: tell = () => {} } = options
  await fs.makeDir(dir).catch((error: unknown) => {
    throw storageError(error, 'make', dir)
  })
  const found = await inspectDir(fs, dir)
  const origin = await ensureLog(fs, dir, found, clock, tell)
  const parts: { ack?: AckMark; creds?: CredsFile } = {}
  const log = await openLog({
    fs,
    dir,
    ...(options.compaction === undefined ? {} : { compaction: options.compaction }),
    acknowledged: await readAck(fs, dir),
    hooks: {
      onCommit: (revision, written) => {
        parts.ack?.advance(revision)
        const creds = written.get(CREDS_KEY)
        if (creds !== undefined && creds !== null) parts.creds?.update(creds)
        options.onCommit?.(revision, creds !== undefined)
      },
      onCompaction: (outcome) => tellCompaction(tell, outcome),
    },
  })
  try {
    const credsBytes = await log.read(CREDS_KEY)
    const logPath = join(dir, LOG_NAME)
    if (credsBytes === undefined) throw damagedError(logPath, 'it holds no creds')
    const creds = parseCreds(credsBytes, logPath)
    const marker = await log.read(IMPORT_KEY)
    if (marker !== undefined) {
      await moveSourcesAside(fs, dir, found, marker)
      await log.append([{ key: IMPORT_KEY, value: null }])
    } else {
      await refuseSecondSession(fs, dir, found, creds)
    }
    for (const name of found.leftovers) await removeIfPresent(fs, join(dir, name))
    parts.creds = openCredsFile(fs, dir, (error) => tell('session.creds_file_failed', { errno: errnoOf(error) }))
    const onAckError = (error: unknown): void => tell('session.ack_failed', { errno: errnoOf(error) })
    const ack = await openAck(fs, dir, log.revision, clock, onAckError).catch(onAckError)
    if (ack !== undefined) parts.ack = ack
    if (!(await holds(fs, join(dir, CREDS_FILE), credsBytes))) parts.creds.update(credsBytes)
    await parts.creds.settled()
    const noted = await log.read(RECOVERY_KEY)
    const recovery = noted === undefined ? undefined : parseRecovery(noted)
    const { fileBytes, liveBytes, keys: entries } = log.sizes
    tell('session.opened', {
      origin,
      revision: log.revision,
      fileBytes,
      liveBytes,
      entries,
      droppedBytes: log.tornBytes,
    })
    const inbox = await readInbox(log)
    const made = { credsFile: parts.creds, ack: parts.ack }
    return buildSession({ ...made, log, creds, credsBytes, origin, inbox, recovery, clock })
  } catch (error) {
    await log.close()
    await parts.creds?.settled()
    await parts.ack?.close()
    throw storageError(error, 'open', dir)
  }
}

/** After this there is a log, or the call has rejected. */
async function ensureLog(
  fs: SessionFs,
  dir: string,
  found: SessionDir,
  clock: Clock,
  tell: (event: string, fields: object) => void,
): Promise<SessionOrigin> {
  if (found.log) return 'existing'
  const logPath = join(dir, LOG_NAME)
  const remains = [
    found.ack ? 'session.ack' : '',
    found.previousLog ? 'session.log.prev' : '',
    ...found.imported,
  ].filter(Boolean)
  if (remains.length > 0) throw damagedError(logPath, `it is missing, while ${remains.join(', ')} is there`)
  if (!found.creds && found.restore !== undefined) {
    throw damagedError(logPath, `it is missing, while the backup ${found.restore.name} waits to be restored`)
  }
  if (!found.creds && found.stockFiles.length > 0) {
    const reason = `it is missing, while ${found.stockFiles.length} key files are there`
    throw damagedError(join(dir, CREDS_FILE), reason, { keyFiles: found.stockFiles.length })
  }
  try {
    if (found.creds) {
      const report = await importStockFiles(fs, dir, found, clock.nowMs())
      tell('session.imported', { ...report, unknownFiles: found.unknownFiles })
      return 'imported'
    }
    // Durable before anyone sees it: what is paired later is this identity, and a log never lacks creds.
    const { file } = await writeTemporaryLog(fs, dir, { entries: [credsEntry(initAuthCreds())], firstSequence: 1 })
    await file.close()
    await publishLog(fs, dir)
    return 'new'
  } catch (error) {
    throw storageError(error, 'write', logPath)
  }
}

/** Overwriting the creds.json of another account, or ignoring newer keys beside the log, could cost a session. */
async function refuseSecondSession(
  fs: SessionFs,
  dir: string,
  found: SessionDir,
  creds: AuthenticationCreds,
): Promise<void> {
  const advice =
    'Nothing was changed. Move the one that is not wanted out of the directory: session.log with session.ack, or creds.json with the key files.'
  if (found.stockFiles.length > 0) {
    throw new SessionError(
      'session_conflict',
      `${dir} holds session.log and also ${found.stockFiles.length} key files of Baileys' own layout. ${advice}`,
      { dir, keyFiles: found.stockFiles.length },
    )
  }
  if (!found.creds) return
  let other: AuthenticationCreds
  try {
    other = parseCreds(await fs.readFile(join(dir, CREDS_FILE)), CREDS_FILE)
  } catch {
    return // Broken or unreadable: a copy of what the log holds whole, written anew from it.
  }
  if (sameIdentity(creds, other)) return
  throw new SessionError(
    'session_conflict',
    `${dir} holds session.log and the creds.json of another identity. ${advice}`,
    { dir },
  )
}

async function holds(fs: SessionFs, path: string, bytes: Buffer): Promise<boolean> {
  try {
    return bytes.equals(await fs.readFile(path))
  } catch {
    return false // Whatever the reason, it is written anew.
  }
}

function tellCompaction(tell: (event: string, fields: object) => void, outcome: CompactionOutcome): void {
  switch (outcome.kind) {
    case 'done': {
      const { beforeBytes, afterBytes, keptPrevious } = outcome
      tell('session.compacted', { beforeBytes, afterBytes, keptPrevious })
      return
    }
    case 'put_off':
      tell('session.compaction_put_off', { errno: errnoOf(outcome.error) })
      return
    default:
      return outcome satisfies never
  }
}

interface SessionParts {
  readonly log: SessionLog
  readonly creds: AuthenticationCreds
  readonly credsBytes: Buffer
  readonly credsFile: CredsFile
  readonly ack: AckMark | undefined
  readonly origin: SessionOrigin
  readonly inbox: readonly InboxRecord[]
  readonly recovery: Recovery | undefined
  readonly clock: Clock
}

function buildSession(parts: SessionParts): Session {
  const { log, creds, credsBytes, credsFile, ack, origin, inbox, recovery, clock } = parts
  let lastCreds = credsBytes
  let closing: Promise<void> | undefined

  const finish = async (): Promise<void> => {
    await log.close()
    await credsFile.settled()
    // The mark is a lower bound: one that could not be synced is only older.
    await ack?.close().catch(() => undefined)
  }

  return {
    authState: { creds, keys: createKeyStore(log) },
    origin,
    inbox,
    recovery,
    failed: log.failed,
    get revision() {
      return log.revision
    },
    saveCreds: () => {
      const entry = credsEntry(creds)
      // Baileys says creds.update also when nothing changed: then the last ones only have to be durable.
      if (entry.value === null || entry.value.equals(lastCreds)) return log.flush()
      lastCreds = entry.value
      return log.append([entry])
    },
    proveWritable: () => log.append([{ key: PROOF_KEY, value: Buffer.from(String(clock.nowMs())) }]),
    snapshot: () => log.snapshot(),
    flush: async () => {
      await log.flush()
      await credsFile.settled()
    },
    close: ({ signal } = {}) => {
      closing ??= finish()
      return signal === undefined ? closing : Promise.race([closing, aborted(signal)])
    },
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void =>
      reject(new SessionError('storage_failed', 'The session did not close in time: a write hangs.', {}, signal.reason))
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
  })
}
