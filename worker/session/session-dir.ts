import { ACK_NAME } from './ack-mark.ts'
import { TEMPORARY_CREDS_NAME } from './creds-file.ts'
import { LEFTOVER_NAMES, LOG_NAME, PREVIOUS_LOG_NAME } from './log-file.ts'
import { savedAtOf } from '../../shared/session/restore-file.ts'
import { storageError } from '../../shared/session/session-error.ts'
import type { SessionFs } from '../../shared/session/session-fs.ts'
import { CREDS_FILE, parseStockFileName } from './session-key.ts'

/** Directories that a take-over moves its sources to. */
export const IMPORTED_PREFIX = 'imported-'

/** What lies in a session directory, by name alone; nothing has been opened. */
export interface SessionDir {
  readonly log: boolean
  readonly previousLog: boolean
  readonly ack: boolean
  readonly creds: boolean
  /** Key files of Baileys' multi-file layout, without creds.json. */
  readonly stockFiles: readonly string[]
  readonly imported: readonly string[]
  /** The backup that waits to become the session, where there is one. */
  readonly restore: { readonly name: string; readonly savedAtMs: number } | undefined
  /** Temporary files of a crash. */
  readonly leftovers: readonly string[]
  /** *.json files of no known type: left alone. */
  readonly unknownFiles: number
}

/** Whether anything of a session is there: then a backup has no say without the operator's word. */
export function holdsSession(found: SessionDir): boolean {
  const { log, previousLog, ack, creds, stockFiles, imported } = found
  return log || previousLog || ack || creds || stockFiles.length > 0 || imported.length > 0
}

/** Rejects with storage_failed when the directory can't be listed. */
export async function inspectDir(fs: SessionFs, dir: string): Promise<SessionDir> {
  const entries = await fs.readDir(dir).catch((error: unknown) => {
    throw storageError(error, 'list', dir)
  })
  const names = new Set(entries.map((entry) => entry.name))
  const json = [...names].filter((name) => name.endsWith('.json') && name !== CREDS_FILE)
  const stockFiles = json.filter((name) => parseStockFileName(name) !== undefined).sort()
  return {
    log: names.has(LOG_NAME),
    previousLog: names.has(PREVIOUS_LOG_NAME),
    ack: names.has(ACK_NAME),
    creds: names.has(CREDS_FILE),
    stockFiles,
    restore: newestRestore([...names]),
    imported: [...names].filter((name) => name.startsWith(IMPORTED_PREFIX)),
    leftovers: [...LEFTOVER_NAMES, TEMPORARY_CREDS_NAME].filter((name) => names.has(name)),
    unknownFiles: json.length - stockFiles.length,
  }
}

function newestRestore(names: readonly string[]): SessionDir['restore'] {
  const found = names.flatMap((name) => {
    const savedAtMs = savedAtOf(name)
    return savedAtMs === undefined ? [] : [{ name, savedAtMs }]
  })
  return found.sort((a, b) => b.savedAtMs - a.savedAtMs)[0]
}
