import { messageOf } from '../../shared/errors.ts'
import { openArchive, sealArchive, type KeyRing, type PlainArchive } from './seal.ts'
import { BackupError, type BackupErrorCode, type SealedArchive } from './target.ts'

/** What a thread is asked. Nothing of it is kept there: the keys come with each task. */
export type SealTask =
  | { do: 'seal'; ring: KeyRing; plain: PlainArchive }
  | { do: 'open'; ring: KeyRing; accountId: string; archive: SealedArchive }

/** Errors go as values: an error that crosses threads loses its class. Bytes arrive as plain Uint8Arrays. */
export type SealResult =
  | { done: 'seal'; archive: SealedArchive }
  | { done: 'open'; bytes: Uint8Array }
  | { done: 'failed'; code: BackupErrorCode; message: string }

/** Seals or opens one archive; runs in a piscina thread. */
export function runSealTask(task: SealTask): SealResult {
  try {
    switch (task.do) {
      case 'seal':
        return { done: 'seal', archive: sealArchive(task.ring, task.plain) }
      case 'open': {
        const archive = { ...task.archive, sealed: bufferOf(task.archive.sealed) }
        return { done: 'open', bytes: openArchive(task.ring, task.accountId, archive) }
      }
      default:
        return task satisfies never
    }
  } catch (error) {
    return { done: 'failed', code: error instanceof BackupError ? error.code : 'failed', message: messageOf(error) }
  }
}

/** The same memory, as a Buffer again. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
