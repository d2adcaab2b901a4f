import { appendFile, mkdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { backoffMs } from '../../shared/backoff.ts'
import type { Clock, Timer } from '../../shared/clock.ts'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { fileOf, type HistoryRecord } from './record.ts'

/**
 * Appends the history to the files of its days. Nobody waits for it and nothing fails by it: what the disk does not take
 * waits in a bounded queue, then is dropped and counted. What a disk took of a write that it did not take whole is given
 * back: whoever frees some room frees it for the sessions, and no line is there twice. A line may be torn by a crash; the
 * next one begins on a line of its own.
 */
export interface HistoryWriterOptions {
  directory: string
  clock: Clock
  log: Log
  limits: WriterLimits
}

export interface WriterLimits {
  mostQueued: number
  /** Beyond this a day's file takes no more transitions, only what the charts need. */
  dayBytes: number
}

/** An hour of an outage of 30 accounts; some 60,000 transitions a day. */
export const WRITER_LIMITS: WriterLimits = { mostQueued: 10_000, dayBytes: 8 * 1024 * 1024 }

const FLUSH_MS = 1000
/** Of one writer there is nobody to be in step with. */
const NO_JITTER = 0.5

export class HistoryWriter {
  readonly #options: HistoryWriterOptions
  #queue: { name: string; line: string }[] = []
  #timer: Timer | undefined
  #writing: Promise<void> = Promise.resolve()
  /** Writes that are under way or wait for one. */
  #pending = 0
  /** Files whose last line may be torn: all that this process has not written to yet. */
  readonly #whole = new Set<string>()
  #day: { name: string; bytes: number } | undefined
  /** Writes in a row that failed. */
  #failures = 0
  #dropped = 0

  constructor(options: HistoryWriterOptions) {
    this.#options = options
  }

  /** Records that are not on the disk and never will be. */
  get dropped(): number {
    return this.#dropped
  }

  write(record: HistoryRecord): void {
    const name = fileOf(record.at)
    const isFull = this.#day?.name === name && this.#day.bytes > this.#options.limits.dayBytes
    if (isFull && record.k === 's' && record.v === undefined) {
      this.#dropped++
      return
    }
    this.#queue.push({ name, line: `${JSON.stringify(record)}\n` })
    const excess = this.#queue.length - this.#options.limits.mostQueued
    if (excess > 0) {
      this.#queue.splice(0, excess)
      this.#dropped += excess
    }
    this.#arm()
  }

  /** Resolves when what was written before is on the disk, or can't be now. Never rejects. */
  async flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#pending++
    this.#writing = this.#writing.then(() => this.#write())
    await this.#writing
    this.#pending--
    // After a failure as well: the disk is tried again in a while.
    if (this.#queue.length > 0) this.#arm()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #arm(): void {
    // One write at a time: behind a disk that hangs nothing piles up but the queue.
    if (this.#timer !== undefined || this.#pending > 0) return
    // Whatever room there is again is taken by those who need it more.
    const delayMs = this.#failures === 0 ? FLUSH_MS : backoffMs(this.#failures, NO_JITTER)
    this.#timer = this.#options.clock.setTimer(delayMs, () => void this.flush(), { unref: true })
  }

  async #write(): Promise<void> {
    const batch = this.#queue
    this.#queue = []
    try {
      while (batch.length > 0) {
        const name = batch[0]?.name ?? ''
        const end = batch.findIndex((entry) => entry.name !== name)
        const lines = batch.slice(0, end === -1 ? batch.length : end)
        await this.#append(name, lines.map(({ line }) => line).join(''))
        batch.splice(0, lines.length)
      }
      if (this.#failures > 0) this.#options.log.info({ event: 'history.recovered' }, 'The history is written again')
      this.#failures = 0
    } catch (error) {
      this.#queue = [...batch, ...this.#queue]
      this.#day = undefined
      if (this.#failures === 0) {
        const cause = errnoOf(error) ?? messageOf(error)
        this.#options.log.warn({ event: 'history.not_written', cause }, 'The history waits for the disk')
      }
      this.#failures++
    }
  }

  async #append(name: string, text: string): Promise<void> {
    const path = join(this.#options.directory, name)
    if (this.#day?.name !== name) {
      // Not with its parents: where the volume is gone, nothing is made in its place.
      await mkdir(this.#options.directory, { mode: 0o700 }).catch((error: unknown) => {
        if (errnoOf(error) !== 'EEXIST') throw error
      })
    }
    const sizeBytes = await sizeOf(path)
    this.#day = { name, bytes: sizeBytes }
    const data = this.#whole.has(name) || sizeBytes === 0 ? text : `\n${text}`
    this.#whole.delete(name)
    try {
      await appendFile(path, data, { mode: 0o600 })
    } catch (error) {
      // Where not even this can be done, what was taken stays, and is there again when all of it is written.
      await truncate(path, sizeBytes).catch(() => undefined)
      throw error
    }
    this.#day.bytes += Buffer.byteLength(data)
    this.#whole.add(name)
    // Yesterday's is never written again, but for a clock that is set back.
    if (this.#whole.size > 4) this.#whole.clear()
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0
    throw error
  }
}
