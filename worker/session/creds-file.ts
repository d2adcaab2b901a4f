/**
 * `creds.json` beside the log: a copy of the creds where people and tools look for them. The log is the truth; this
 * file is only ever written from it, whole (temporary file, sync, rename), after the record is durable, so a crash
 * leaves it one version old and never broken. A failed write is told and changes nothing else: the next one repairs it.
 */
import { join } from 'node:path'
import { CREDS_FILE } from './session-key.ts'
import { writeFully, type SessionFs } from '../../shared/session/session-fs.ts'

export const TEMPORARY_CREDS_NAME = 'creds.json.tmp'

export interface CredsFile {
  /** Asks for these bytes to be in the file; returns at once. While one write runs, only the latest is kept. */
  update(bytes: Buffer): void
  /** Resolves when nothing is waiting to be written. */
  settled(): Promise<void>
}

export function openCredsFile(fs: SessionFs, dir: string, onError: (error: unknown) => void): CredsFile {
  let waiting: Buffer | undefined
  let writing: Promise<void> | undefined

  const write = async (): Promise<void> => {
    for (let bytes = waiting; bytes !== undefined; bytes = waiting) {
      waiting = undefined
      try {
        await replaceFile(fs, dir, CREDS_FILE, TEMPORARY_CREDS_NAME, bytes)
      } catch (error) {
        onError(error)
      }
    }
    writing = undefined
  }

  return {
    update: (bytes) => {
      waiting = bytes
      writing ??= write()
    },
    settled: async () => {
      await writing
    },
  }
}

/** Puts `bytes` under `name`, whole at every instant. The new name is durable only with the directory's next sync. */
async function replaceFile(fs: SessionFs, dir: string, name: string, temporary: string, bytes: Buffer): Promise<void> {
  const file = await fs.open(join(dir, temporary), 'create')
  try {
    await writeFully(file, bytes, 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await fs.rename(join(dir, temporary), join(dir, name))
}
