/**
 * The log of one session: keys with values, in one append-only file that this object alone writes.
 *
 * States
 * - open: batches are queued; one loop writes a group of them as one record, syncs once, resolves all their promises.
 * - failed: a read, write or sync failed. Nothing more is written or acknowledged in this process (a page whose sync
 *   failed may be marked clean, so a second sync would lie). What was acknowledged stays readable.
 * - closed: close() was called: the queue was carried out (unless failed), the file is closed.
 * open -> failed -> closed, open -> closed; nothing leads back.
 *
 * Invariants
 * - A promise of append() resolves only when its record and all before it are durable.
 * - A record is begun only when all before it are durable, so a record proves the ones before it.
 * - A batch is whole or absent: a group is one record under one checksum.
 * - Reads see what was queued, durable or not, until it fails.
 * - One job at a time touches the end of the file: groups, compaction and snapshots take turns in one queue.
 */
import { join } from 'node:path'
import { crc32 } from './crc32.ts'
import {
  encodeLogImage,
  keepPreviousLog,
  LOG_NAME,
  publishLog,
  removeTemporaryLog,
  writeTemporaryLog,
  type WrittenLog,
} from './log-file.ts'
import { encodeRecord, encodingObstacle, entryBytes, RECORD_HEADER_BYTES, type LogEntry } from './log-record.ts'
import type { ValueLocation } from './log-scan.ts'
import { RecentValues } from './recent-values.ts'
import { damagedError, SessionError, storageError } from '../../shared/session/session-error.ts'
import { readFully, writeFully, type SessionFile, type SessionFs } from '../../shared/session/session-fs.ts'

export interface CompactionLimits {
  /** Compact when the file is longer than factor * live + slackBytes. */
  readonly factor: number
  readonly slackBytes: number
}

/**
 * Twice the live size keeps the copied bytes below the bytes written since the last time (amortised cost: at most one
 * more write per write); the 1 MiB on top keeps a small account, a few hundred KB, from compacting every few
 * hundred messages: at 1.9 KB a message that is once in at least 500 messages.
 */
export const DEFAULT_COMPACTION: CompactionLimits = { factor: 2, slackBytes: 1024 * 1024 }

/** Some 100 sessions of contacts: those of whom an account has heard last. */
const RECENT_BYTES = 256 * 1024

/** A group grows up to this before it is written, so that a burst doesn't become one huge buffer. */
const GROUP_TARGET_BYTES = 4 * 1024 * 1024

export interface LogHooks {
  /** After each durable record and each compaction. `written` holds the new values of the record, last one per key. */
  readonly onCommit?: (revision: number, written: ReadonlyMap<string, Buffer | null>) => void
  readonly onCompaction?: (outcome: CompactionOutcome) => void
}

export type CompactionOutcome =
  | { readonly kind: 'done'; readonly beforeBytes: number; readonly afterBytes: number; readonly keptPrevious: boolean }
  /** The old log is untouched and stays in use; tried again after another slackBytes. */
  | { readonly kind: 'put_off'; readonly error: unknown }

export interface OpenLogOptions {
  readonly fs: SessionFs
  readonly dir: string
  readonly compaction?: CompactionLimits
  /** Revision known to be durable: a log that ends below is refused. */
  readonly acknowledged?: number | undefined
  readonly hooks?: LogHooks
}

interface Batch {
  readonly kind: 'batch'
  readonly entries: readonly LogEntry[]
  readonly ticket: number
  readonly resolve: () => void
  readonly reject: (error: SessionError) => void
}
interface Task {
  readonly kind: 'task'
  readonly run: () => Promise<void>
  readonly reject: (error: SessionError) => void
}

export class SessionLog {
  /** Bytes dropped when it was opened: a write cut by a crash, never acknowledged. */
  readonly tornBytes: number
  /** Resolves with the error when the log fails; stays pending otherwise. */
  readonly failed: Promise<SessionError>

  readonly #fs: SessionFs
  readonly #dir: string
  readonly #path: string
  readonly #limits: CompactionLimits
  readonly #hooks: LogHooks
  readonly #queue: (Batch | Task)[] = []
  /** Queued values by key, with the ticket of the batch that wrote them last. */
  readonly #pending = new Map<string, { value: Buffer | null; ticket: number }>()
  #file: SessionFile
  #salt: number
  #index: Map<string, ValueLocation>
  readonly #recent = new RecentValues(RECENT_BYTES)
  #sequence: number
  #endBytes: number
  #liveBytes: number
  /** No compaction below this size: raised when one was put off. */
  #compactFromBytes = 0
  #nextTicket = 1
  #draining = false
  #failure: SessionError | undefined
  #closing: Promise<void> | undefined
  #announceFailure: (error: SessionError) => void = () => {}

  constructor(options: OpenLogOptions, opened: WrittenLog) {
    const { contents } = opened
    this.#fs = options.fs
    this.#dir = options.dir
    this.#path = join(options.dir, LOG_NAME)
    this.#limits = options.compaction ?? DEFAULT_COMPACTION
    this.#hooks = options.hooks ?? {}
    this.tornBytes = contents.tornBytes
    this.#file = opened.file
    this.#salt = contents.header.salt
    this.#index = contents.index
    this.#sequence = contents.sequence
    this.#endBytes = contents.endBytes
    this.#liveBytes = contents.liveBytes
    this.failed = new Promise((resolve) => (this.#announceFailure = resolve))
  }

  /** Sequence of the last durable record. Grows with each record, also with those of a compaction. */
  get revision(): number {
    return this.#sequence
  }

  get sizes(): { readonly fileBytes: number; readonly liveBytes: number; readonly keys: number } {
    return { fileBytes: this.#endBytes, liveBytes: this.#liveBytes, keys: this.#index.size }
  }

  /** The durable keys, in no particular order. */
  keys(): IterableIterator<string> {
    return this.#index.keys()
  }

  /**
   * Queues one batch; resolves when it is durable. The buffers must not be changed afterwards. Rejects with
   * storage_full or storage_failed (also for all that was queued behind), session_closed, or RangeError.
   */
  append(entries: readonly LogEntry[]): Promise<void> {
    const refusal = this.#failure ?? this.#closedError()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (entries.length === 0) return Promise.resolve()
    const unfit = encodingObstacle(entries)
    if (unfit !== undefined) return Promise.reject(new RangeError(unfit))
    return new Promise((resolve, reject) => {
      const ticket = this.#nextTicket++
      for (const { key, value } of entries) this.#pending.set(key, { value, ticket })
      this.#enqueue({ kind: 'batch', entries, ticket, resolve, reject })
    })
  }

  /** The value of a key, queued ones included; undefined when there is none. A failed read fails the log. */
  async read(key: string): Promise<Buffer | undefined> {
    const queued = this.#pending.get(key)
    if (queued !== undefined) return queued.value ?? undefined
    const location = this.#index.get(key)
    if (location === undefined) return undefined
    const closed = this.#closedError()
    if (closed !== undefined) throw closed
    const recent = this.#recent.get(key)
    if (recent !== undefined) return recent
    const file = this.#file
    try {
      const value = await this.#readAt(file, location)
      // A newer one may have become durable meanwhile.
      if (this.#index.get(key) === location) this.#recent.set(key, value)
      return value
    } catch (error) {
      // A compaction replaced the file while this read was under way: the value is in the new one.
      if (file !== this.#file && this.#failure === undefined) return this.read(key)
      throw this.#fail(storageError(error, 'read', this.#path))
    }
  }

  /** Resolves when all that was queued before is durable; rejects with the failure otherwise. */
  flush(): Promise<void> {
    return this.#exclusive(async () => {})
  }

  /** The live entries as one whole log file, with its revision: what a backup keeps. */
  snapshot(): Promise<{ bytes: Buffer; revision: number }> {
    return this.#exclusive(async () => {
      const revision = this.#sequence
      return { revision, bytes: await encodeLogImage({ entries: this.#liveEntries(), firstSequence: revision }) }
    })
  }

  /** Compacts now, whatever the size. Rejects only if the log fails; see CompactionOutcome for the rest. */
  compact(): Promise<void> {
    return this.#exclusive(() => this.#compact())
  }

  /** Carries out the queue, then closes. May be called again: the same promise. Never rejects for an earlier failure. */
  close(): Promise<void> {
    return (this.#closing ??= this.#finish())
  }

  async #finish(): Promise<void> {
    if (this.#failure === undefined) {
      // A failure here was told through `failed` and the rejected appends.
      await this.#exclusiveTask(async () => {}).catch(() => undefined)
    }
    await this.#file.close()
  }

  #closedError(): SessionError | undefined {
    if (this.#closing === undefined) return undefined
    return new SessionError('session_closed', `${this.#path} is closed: open the session again before using it.`)
  }

  #exclusive<T>(run: () => Promise<T>): Promise<T> {
    const refusal = this.#failure ?? this.#closedError()
    return refusal === undefined ? this.#exclusiveTask(run) : Promise.reject(refusal)
  }

  #exclusiveTask<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const task = async (): Promise<void> => {
        resolve(await run())
      }
      this.#enqueue({ kind: 'task', run: task, reject })
    })
  }

  #enqueue(job: Batch | Task): void {
    this.#queue.push(job)
    if (this.#draining) return
    this.#draining = true
    // One turn later, so that everything this turn writes (Baileys sets several types at once) shares one sync.
    setImmediate(() => void this.#drain())
  }

  async #drain(): Promise<void> {
    for (let job = this.#queue[0]; job !== undefined; job = this.#queue[0]) {
      const group = job.kind === 'batch' ? this.#takeGroup() : []
      if (job.kind === 'task') this.#queue.shift()
      try {
        if (this.#failure !== undefined) throw this.#failure
        if (job.kind === 'task') await job.run()
        else await this.#commit(group)
      } catch (error) {
        const failure = this.#fail(storageError(error, 'write', this.#path))
        for (const rejected of [...group, job, ...this.#queue.splice(0)]) rejected.reject(failure)
      }
    }
    this.#draining = false
  }

  #takeGroup(): Batch[] {
    const group: Batch[] = []
    let bytes = 0
    for (let job = this.#queue[0]; job?.kind === 'batch' && bytes < GROUP_TARGET_BYTES; job = this.#queue[0]) {
      group.push(job)
      this.#queue.shift()
      for (const { key, value } of job.entries) bytes += entryBytes(key, value?.length ?? 0)
    }
    return group
  }

  async #commit(group: readonly Batch[]): Promise<void> {
    const written = new Map<string, Buffer | null>()
    for (const batch of group) for (const { key, value } of batch.entries) written.set(key, value)
    // Deleting what is not there changes nothing, and Baileys does it with every used pre-key twice.
    for (const [key, value] of written) if (value === null && !this.#index.has(key)) written.delete(key)
    if (written.size > 0) {
      const entries = Array.from(written, ([key, value]) => ({ key, value }))
      const record = encodeRecord(this.#salt, this.#sequence + 1, entries)
      await writeFully(this.#file, record.bytes, this.#endBytes)
      await this.#file.datasync()
      // A read failed meanwhile: nothing is acknowledged after that, though this record will be there on the next open.
      if (this.#failure !== undefined) throw this.#failure
      const bodyOffset = this.#endBytes + RECORD_HEADER_BYTES
      for (const { key, valueOffset, valueLength } of record.placed) {
        const previous = this.#index.get(key)
        if (previous !== undefined) this.#liveBytes -= entryBytes(key, previous.length)
        if (valueOffset < 0) {
          this.#index.delete(key)
          this.#recent.delete(key)
          continue
        }
        const value = written.get(key) ?? Buffer.alloc(0)
        this.#index.set(key, { offset: bodyOffset + valueOffset, length: valueLength, crc: crc32(value) })
        this.#recent.set(key, value)
        this.#liveBytes += entryBytes(key, valueLength)
      }
      this.#endBytes += record.bytes.length
      this.#sequence += 1
    }
    const lastTicket = group[group.length - 1]?.ticket ?? 0
    for (const batch of group) {
      for (const { key } of batch.entries) {
        const queued = this.#pending.get(key)
        if (queued !== undefined && queued.ticket <= lastTicket) this.#pending.delete(key)
      }
      batch.resolve()
    }
    if (written.size > 0) this.#hooks.onCommit?.(this.#sequence, written)
    const { factor, slackBytes } = this.#limits
    if (this.#endBytes > Math.max(factor * this.#liveBytes + slackBytes, this.#compactFromBytes)) await this.#compact()
  }

  /**
   * Copies the live entries to a temporary file, syncs it, gives the old log its second name, renames, syncs the
   * directory. Up to the rename any failure leaves the old log in use; from the rename on it fails the log.
   */
  async #compact(): Promise<void> {
    const beforeBytes = this.#endBytes
    let next: WrittenLog | undefined
    let keptPrevious = true
    try {
      next = await writeTemporaryLog(this.#fs, this.#dir, {
        entries: this.#liveEntries(),
        firstSequence: this.#sequence + 1,
      })
      await keepPreviousLog(this.#fs, this.#dir).catch(() => (keptPrevious = false))
    } catch (error) {
      // Reading the live values failed: they are gone for everyone, not for the copy alone.
      if (error instanceof SessionError && error.code === 'session_damaged') throw error
      this.#compactFromBytes = this.#endBytes + this.#limits.slackBytes
      await removeTemporaryLog(this.#fs, this.#dir).catch(() => undefined)
      this.#hooks.onCompaction?.({ kind: 'put_off', error })
      return
    }
    const previous = this.#file
    try {
      await publishLog(this.#fs, this.#dir)
    } catch (error) {
      await next.file.close()
      throw error
    }
    this.#file = next.file
    this.#salt = next.contents.header.salt
    this.#index = next.contents.index
    this.#sequence = next.contents.sequence
    this.#endBytes = next.contents.endBytes
    this.#liveBytes = next.contents.liveBytes
    this.#compactFromBytes = 0
    // Reads under way hold the old file until they are done; nothing depends on how its closing ends.
    void previous.close().catch(() => undefined)
    this.#hooks.onCompaction?.({ kind: 'done', beforeBytes, afterBytes: this.#endBytes, keptPrevious })
    this.#hooks.onCommit?.(this.#sequence, new Map())
  }

  /** The durable entries in the order they were written; runs inside the queue, so nothing changes meanwhile. */
  async *#liveEntries(): AsyncGenerator<LogEntry> {
    const file = this.#file
    const entries = [...this.#index].sort(([, a], [, b]) => a.offset - b.offset)
    for (const [key, location] of entries) yield { key, value: await this.#readAt(file, location) }
  }

  async #readAt(file: SessionFile, location: ValueLocation): Promise<Buffer> {
    const { offset, length, crc } = location
    const value = await readFully(file, offset, length)
    if (value.length === length && crc32(value) === crc) return value
    throw damagedError(this.#path, `the ${length} bytes at byte ${offset} are no longer what was written`, { offset })
  }

  #fail(error: SessionError): SessionError {
    if (this.#failure === undefined) {
      this.#failure = error
      this.#pending.clear()
      this.#announceFailure(error)
    }
    return this.#failure
  }
}
