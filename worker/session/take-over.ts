/**
 * Takes over a directory that Baileys' useMultiFileAuthState (or any program built on it) left.
 *
 * | step | a crash after it leaves | the next start |
 * |---|---|---|
 * | 1 all files are read and checked | the source as it was | begins again |
 * | 2 the log is written under a temporary name, synced | the source and a leftover | begins again |
 * | 3 the log gets its name, the directory is synced | the log with an open import entry, the source | goes on with 4 |
 * | 4 the sources move into imported-<time>/, one rename each | some here, some there | goes on with 4 |
 * | 5 the directories are synced, the import entry is deleted | the session | is done |
 *
 * Nothing of the source is touched before the log is durable, and nothing of it is ever deleted. A broken creds.json
 * refuses the take-over; a broken key file (Baileys' own store leaves empty ones when it is killed) is left out and
 * kept in imported-<time>/broken/: its chat makes a new key by itself, where a lost account needs a person.
 */
import { freeName, timestamp } from '../../shared/session/names.ts'
import { join } from 'node:path'
import { parseCreds } from './creds.ts'
import { publishLog, writeTemporaryLog } from './log-file.ts'
import type { LogEntry } from './log-record.ts'
import { damagedError, isAbsent } from '../../shared/session/session-error.ts'
import { IMPORTED_PREFIX, type SessionDir } from './session-dir.ts'
import type { SessionFs } from '../../shared/session/session-fs.ts'
import { CREDS_FILE, CREDS_KEY, IMPORT_KEY, logKey, parseStockFileName } from './session-key.ts'

const BROKEN_DIR = 'broken'
/** Files read at once: enough to keep libuv's four threads busy, few enough for any descriptor limit. */
const READS_AT_ONCE = 8

/** The value of the import entry. */
interface ImportMarker {
  readonly directory: string
  readonly broken: readonly string[]
}

export interface TakeOverReport {
  readonly keys: number
  /** Broken key files by type; their names may hold phone numbers and are for the directory, not for a log. */
  readonly brokenByType: Readonly<Record<string, number>>
  readonly directory: string
}

/** Steps 1 to 3. Rejects with session_damaged, and then the source is untouched. `nowMs` names the directory. */
export async function importStockFiles(
  fs: SessionFs,
  dir: string,
  found: SessionDir,
  nowMs: number,
): Promise<TakeOverReport> {
  const creds = await readSource(fs, join(dir, CREDS_FILE))
  parseCreds(creds, join(dir, CREDS_FILE))
  const directory = freeName(`${IMPORTED_PREFIX}${timestamp(nowMs)}`, new Set(found.imported))
  const entries: LogEntry[] = [{ key: CREDS_KEY, value: creds }]
  const broken: string[] = []
  const brokenByType: Record<string, number> = {}
  for (let at = 0; at < found.stockFiles.length; at += READS_AT_ONCE) {
    const names = found.stockFiles.slice(at, at + READS_AT_ONCE)
    const contents = await Promise.all(names.map((name) => readSource(fs, join(dir, name))))
    names.forEach((name, position) => {
      const key = parseStockFileName(name)
      const value = contents[position]
      if (key === undefined || value === undefined) return
      if (isWhole(value)) {
        entries.push({ key: logKey(key.type, key.id), value })
        return
      }
      broken.push(name)
      brokenByType[key.type] = (brokenByType[key.type] ?? 0) + 1
    })
  }
  const marker: ImportMarker = { directory, broken }
  entries.push({ key: IMPORT_KEY, value: Buffer.from(JSON.stringify(marker)) })
  const { file } = await writeTemporaryLog(fs, dir, { entries, firstSequence: 1 })
  await file.close()
  await publishLog(fs, dir)
  return { keys: entries.length - 2, brokenByType, directory }
}

/** Step 4 and the syncs of 5; the caller deletes the import entry. May run again after a crash at any point. */
export async function moveSourcesAside(fs: SessionFs, dir: string, found: SessionDir, marker: Buffer): Promise<void> {
  const { directory, broken } = JSON.parse(marker.toString('utf8')) as ImportMarker
  const target = join(dir, directory)
  const brokenTarget = join(target, BROKEN_DIR)
  await fs.makeDir(target)
  if (broken.length > 0) await fs.makeDir(brokenTarget)
  const isBroken = new Set(broken)
  for (const name of found.stockFiles) {
    await fs.rename(join(dir, name), join(isBroken.has(name) ? brokenTarget : target, name))
  }
  // The creds.json in the directory is the source only as long as the source has not been moved.
  const moved = (await fs.readDir(target)).some((entry) => entry.name === CREDS_FILE)
  if (found.creds && !moved) await fs.rename(join(dir, CREDS_FILE), join(target, CREDS_FILE))
  if (broken.length > 0) await fs.syncDir(brokenTarget)
  await fs.syncDir(target)
  await fs.syncDir(dir)
}

/** A source file's bytes. Unreadable is not broken: the content may be whole, and a person can make it readable. */
async function readSource(fs: SessionFs, path: string): Promise<Buffer> {
  try {
    return await fs.readFile(path)
  } catch (error) {
    const reason = isAbsent(error) ? 'it disappeared while it was taken over' : 'it cannot be read'
    throw damagedError(path, reason, {}, error)
  }
}

function isWhole(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return value !== null
  } catch {
    return false
  }
}
