import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import type { Clock, Timer } from './clock.ts'
import { errnoOf } from './errors.ts'

/** A process's output: process.stdout, or whatever takes text. */
export interface Output {
  write(text: string): unknown
  /** At the end of the process: what waits is written as far as that takes no time to speak of. */
  flushSync?(): void
  readonly fd?: number
}

/** The part of process.stdout that Node does not document: its descriptor's O_NONBLOCK, for pipes and sockets. */
interface HandleOwner {
  _handle?: { setBlocking?: (isBlocking: boolean) => unknown } | null
}

export interface OutputQueueOptions {
  readonly fd: number
  /** Called before each write: sees to it that the write does not wait. */
  readonly unblock: () => void
  /** More does not wait for the reader: it is dropped and counted. */
  readonly mostBytes: number
  /** The line that stands where lines are missing. */
  readonly tellDropped: (count: number) => string
  readonly clock: Clock
}

const FIRST_RETRY_MS = 1
const LAST_RETRY_MS = 50
/** Then the event loop has its turn. */
const MOST_AT_ONCE = 1000
/** The end of a process waits no longer for a reader that stands still. */
const FLUSH_MS = 500
const FLUSH_STEP_MS = 2

/**
 * `output` with a bound on what waits for its reader, where one can be slow: a pipe or a socket. Node itself would keep
 * every line in memory, and lose all of them at process.exit. Files and terminals take what is written at once.
 */
export function boundOutput(output: Output, options: Omit<OutputQueueOptions, 'fd' | 'unblock'>): Output {
  if (output.fd === undefined) return output
  const stats = fstatSync(output.fd)
  if (!stats.isFIFO() && !stats.isSocket()) return output
  const own = stats.isFIFO() ? openAnew(output.fd) : undefined
  if (own !== undefined) return new OutputQueue({ ...options, fd: own, unblock: () => undefined })
  const unblock = (): void => void (output as HandleOwner)._handle?.setBlocking?.(false)
  return new OutputQueue({ ...options, fd: output.fd, unblock })
}

/**
 * The pipe with flags of our own. Those of an inherited one are shared: libuv makes it blocking with each fork and each end
 * of a child that has it as well, and then a reader that stands still would stop this process. Undefined where it can't be
 * had: no /proc, or the pipe is another user's.
 */
function openAnew(fd: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return undefined
  }
}

/** Lines to one reader, in order, none of which is waited for. A line is one write: up to 4 KiB it stays in one piece. */
export class OutputQueue implements Output {
  readonly #options: OutputQueueOptions
  #waiting: Buffer[] = []
  /** The first of `#waiting` that was not written: shifting an array of thousands is slow. */
  #next = 0
  #waitingBytes = 0
  #dropped = 0
  #retryMs = FIRST_RETRY_MS
  #timer: Timer | undefined

  constructor(options: OutputQueueOptions) {
    this.#options = options
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  write(text: string): void {
    const { mostBytes } = this.#options
    // Not at the first gap: a reader that is slow would get as many lines about lines as lines.
    if (this.#dropped > 0 && this.#waitingBytes <= mostBytes / 2) this.#sayDropped()
    const line = Buffer.from(text)
    if (this.#dropped > 0 || this.#waitingBytes + line.length > mostBytes) this.#dropped++
    else this.#take(line)
    if (this.#waitingBytes > 0) this.#arm()
  }

  /** The event loop stands still meanwhile: for the last moment of a process. */
  flushSync(): void {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + FLUSH_MS
    while (!this.#drain() && clock.monotonicMs() < untilMs) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FLUSH_STEP_MS)
    }
  }

  #take(line: Buffer): void {
    const rest = this.#waitingBytes > 0 ? line : this.#send(line)
    if (rest === undefined) return
    this.#waiting.push(rest)
    this.#waitingBytes += rest.length
  }

  /** @returns what the reader has no room for yet */
  #send(bytes: Buffer): Buffer | undefined {
    const { fd, unblock } = this.#options
    try {
      unblock()
      const written = writeSync(fd, bytes)
      return written < bytes.length ? bytes.subarray(written) : undefined
    } catch (error) {
      // Anything else: nobody reads any more, and what is printed then is lost.
      return errnoOf(error) === 'EAGAIN' ? bytes : undefined
    }
  }

  #sayDropped(): void {
    const count = this.#dropped
    this.#dropped = 0
    this.#take(Buffer.from(this.#options.tellDropped(count)))
  }

  /** @returns whether nothing waits any more */
  #drain(): boolean {
    const before = this.#next
    while (this.#next < this.#waiting.length && this.#next - before < MOST_AT_ONCE) {
      const line = this.#waiting[this.#next]
      const rest = line === undefined ? undefined : this.#send(line)
      this.#waitingBytes -= (line?.length ?? 0) - (rest?.length ?? 0)
      if (rest !== undefined) {
        this.#waiting[this.#next] = rest
        if (rest !== line) this.#retryMs = FIRST_RETRY_MS
        break
      }
      this.#next++
    }
    if (this.#next > before) this.#retryMs = FIRST_RETRY_MS
    if (this.#next >= this.#waiting.length || this.#next >= MOST_AT_ONCE) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
    if (this.#waitingBytes === 0 && this.#dropped > 0) this.#sayDropped()
    return this.#waitingBytes === 0
  }

  #arm(): void {
    if (this.#timer !== undefined) return
    const delayMs = this.#retryMs
    this.#retryMs = Math.min(LAST_RETRY_MS, delayMs * 2)
    this.#timer = this.#options.clock.setTimer(
      delayMs,
      () => {
        this.#timer = undefined
        if (!this.#drain()) this.#arm()
      },
      { unref: true },
    )
  }
}
