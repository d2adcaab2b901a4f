import pLimit from 'p-limit'
import { Piscina } from 'piscina'
import type { Clock } from '../../shared/clock.ts'
import { messageOf } from '../../shared/errors.ts'
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
 * supervisor has to hear heartbeats. The thread ends when there is nothing to do. Calls reject with a BackupError and with
 * nothing else.
 */
export class Archives {
  readonly #options: ArchivesOptions
  readonly #pool: Piscina<SealTask, SealResult>
  /** The pool would queue by itself; but a deadline that runs in the queue would blame one task for another that hangs. */
  readonly #oneAtATime = pLimit(1)
  #stopped = false

  constructor(options: ArchivesOptions) {
    this.#options = options
    this.#pool = new Piscina<SealTask, SealResult>({
      filename: (options.taskUrl ?? new URL('./seal-task.js', import.meta.url)).href,
      name: 'runSealTask',
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: 10_000,
    })
    // Said to each task by its own rejection; without a listener, the death of an idle thread would end the process.
    this.#pool.on('error', () => undefined)
  }

  async sealArchive(plain: PlainArchive): Promise<SealedArchive> {
    const which = `The backup of ${plain.accountId}, revision ${plain.rev}`
    const result = await this.#run({ do: 'seal', ring: this.#options.keyRing, plain }, which)
    if (result.done !== 'seal') throw unexpected(result, which)
    return { ...result.archive, sealed: bufferOf(result.archive.sealed) }
  }

  /** Rejects with `wrong_key` or `damaged`, as openArchive of seal.ts. */
  async openArchive(accountId: string, archive: SealedArchive): Promise<Buffer> {
    const which = `The backup of ${accountId}, revision ${archive.rev}`
    const result = await this.#run({ do: 'open', ring: this.#options.keyRing, accountId, archive }, which)
    if (result.done !== 'open') throw unexpected(result, which)
    return bufferOf(result.bytes)
  }

  /** Ends the thread, whatever it is at: what it had not done rejects. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#pool.destroy()
  }

  async #run(task: SealTask, which: string): Promise<SealResult> {
    const { clock, deadlineMs = DEADLINE_MS } = this.#options
    return this.#oneAtATime(async () => {
      if (this.#stopped)
        throw new BackupError('failed', `${which}, was neither sealed nor opened: the service is stopping.`)
      // An abort ends the thread of a task that runs; the next task gets a new one.
      const late = new AbortController()
      const timer = clock.setTimer(deadlineMs, () => late.abort(), { unref: true })
      try {
        return await this.#pool.run(task, { signal: late.signal })
      } catch (error) {
        const why = late.signal.aborted ? `the thread had no result after ${deadlineMs} ms` : messageOf(error)
        throw new BackupError('failed', `${which}, was neither sealed nor opened: ${why}.`)
      } finally {
        timer.cancel()
      }
    })
  }
}

function unexpected(result: SealResult, which: string): BackupError {
  return result.done === 'failed'
    ? new BackupError(result.code, result.message)
    : new BackupError('failed', `${which}: the thread answered another question.`)
}
