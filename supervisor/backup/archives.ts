import type { Clock } from '../../shared/clock.ts'
import { messageOf } from '../../shared/errors.ts'
import { OneThread } from '../one-thread.ts'
import { bufferOf, type SealResult, type SealTask } from './seal-task.ts'
import type { KeyRing, PlainArchive } from './seal.ts'
import { BackupError, type SealedArchive } from './target.ts'

/** A large session takes 0.2 s; on a machine that swaps, some seconds. */
const DEADLINE_MS = 60_000

interface ArchivesOptions {
  keyRing: KeyRing
  clock: Clock
  /** For one archive, once its turn has come. */
  deadlineMs?: number
  /** The task's file; a test puts another in its place, which hangs or dies. */
  taskUrl?: URL
}

/**
 * Seals and opens archives in a thread of its own, one at a time: a used session takes 20 ms and more, in which the
 * supervisor has to hear heartbeats. Calls reject with a BackupError and with nothing else.
 */
export class Archives {
  readonly #keyRing: KeyRing
  readonly #thread: OneThread<SealTask, SealResult>

  constructor(options: ArchivesOptions) {
    const { keyRing, clock, deadlineMs = DEADLINE_MS, taskUrl = new URL('./seal-task.js', import.meta.url) } = options
    this.#keyRing = keyRing
    this.#thread = new OneThread({ file: taskUrl, name: 'runSealTask', clock, deadlineMs })
  }

  async sealArchive(plain: PlainArchive): Promise<SealedArchive> {
    const which = `The backup of ${plain.accountId}, revision ${plain.rev}`
    const result = await this.#run({ do: 'seal', ring: this.#keyRing, plain }, which)
    if (result.done !== 'seal') throw unexpected(result, which)
    return { ...result.archive, sealed: bufferOf(result.archive.sealed) }
  }

  /** Rejects with `wrong_key` or `damaged`, as openArchive of seal.ts. */
  async openArchive(accountId: string, archive: SealedArchive): Promise<Buffer> {
    const which = `The backup of ${accountId}, revision ${archive.rev}`
    const result = await this.#run({ do: 'open', ring: this.#keyRing, accountId, archive }, which)
    if (result.done !== 'open') throw unexpected(result, which)
    return bufferOf(result.bytes)
  }

  /** Ends the thread, whatever it is at: what it had not done rejects. */
  async stop(): Promise<void> {
    await this.#thread.stop()
  }

  async #run(task: SealTask, which: string): Promise<SealResult> {
    try {
      return await this.#thread.run(task)
    } catch (error) {
      throw new BackupError('failed', `${which}, was neither sealed nor opened: ${messageOf(error)}.`, { cause: error })
    }
  }
}

function unexpected(result: SealResult, which: string): BackupError {
  return result.done === 'failed'
    ? new BackupError(result.code, result.message)
    : new BackupError('failed', `${which}: the thread answered another question.`)
}
