import { closeSync } from 'node:fs'
import { ERRNO, type UnixSockets } from './unix-sockets.ts'
import type { Clock, Timer } from './clock.ts'

/**
 * Datagrams to one receiver, in order. Nothing here waits for it: what it does not take at once goes to a queue that is
 * tried again, and what the queue has no room for is dropped and counted.
 */
export interface QueueLimits {
  readonly mostDatagrams: number
  readonly mostBytes: number
}

export interface DatagramQueueOptions {
  readonly sockets: UnixSockets
  readonly path: string
  readonly limits: QueueLimits
  readonly clock: Clock
  /** The receiver takes datagrams again after some were dropped; what is given back is sent next. */
  readonly tellDropped?: (count: number) => Buffer
}

/** A receiver that is full, restarting or not there yet is asked again; anything else is wrong with the datagram itself. */
const PASSES: ReadonlySet<number> = new Set([ERRNO.again, ERRNO.noBuffers, ERRNO.noEntry, ERRNO.connectionRefused])

const FIRST_RETRY_MS = 1
const LAST_RETRY_MS = 50
/** Then the event loop has its turn, also where the receiver takes them as fast as they are sent. */
const MOST_AT_ONCE = 1000
/** At the end of a process: how long it sleeps between two tries. */
const FLUSH_STEP_MS = 2

export class DatagramQueue {
  readonly #options: DatagramQueueOptions
  readonly #fd: number
  #waiting: Buffer[] = []
  /** The first of `#waiting` that was not sent: shifting an array of thousands is slow. */
  #next = 0
  #waitingBytes = 0
  #dropped = 0
  #retryMs = FIRST_RETRY_MS
  #timer: Timer | undefined
  #closed = false

  constructor(options: DatagramQueueOptions) {
    this.#options = options
    this.#fd = options.sockets.openDatagram()
  }

  /** Datagrams that were not sent yet. */
  get waiting(): number {
    return this.#waiting.length - this.#next
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  send(datagram: Buffer): void {
    if (this.#closed) return
    if (this.waiting === 0 && this.#dropped === 0 && this.#try(datagram)) return
    const { mostDatagrams, mostBytes } = this.#options.limits
    if (this.waiting >= mostDatagrams || this.#waitingBytes + datagram.length > mostBytes) {
      this.#dropped++
    } else {
      this.#waiting.push(datagram)
      this.#waitingBytes += datagram.length
    }
    this.#arm()
  }

  /** Tries for so long, the event loop standing still, to send what waits: for the last moment of a process. */
  flushSync(deadlineMs: number): void {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + deadlineMs
    while (!this.#closed && !this.#drain() && clock.monotonicMs() < untilMs) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FLUSH_STEP_MS)
    }
  }

  /** What waits is given up. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#waiting = []
    closeSync(this.#fd)
  }

  #try(datagram: Buffer): boolean {
    const { sockets, path } = this.#options
    return !PASSES.has(sockets.sendTo(this.#fd, datagram, path))
  }

  /** @returns whether nothing waits any more */
  #drain(): boolean {
    const before = this.#next
    while (this.#next < this.#waiting.length && this.#next - before < MOST_AT_ONCE) {
      const datagram = this.#waiting[this.#next]
      if (datagram !== undefined && !this.#try(datagram)) break
      this.#waitingBytes -= datagram?.length ?? 0
      this.#next++
    }
    if (this.#next > before) this.#retryMs = FIRST_RETRY_MS
    if (this.waiting > 0) {
      // What was sent is let go of, now and then.
      if (this.#next >= MOST_AT_ONCE) {
        this.#waiting = this.#waiting.slice(this.#next)
        this.#next = 0
      }
      return false
    }
    this.#waiting = []
    this.#next = 0
    return this.#sayDropped()
  }

  #sayDropped(): boolean {
    if (this.#dropped === 0) return true
    const told = this.#options.tellDropped?.(this.#dropped)
    if (told !== undefined && !this.#try(told)) return false
    this.#dropped = 0
    return true
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#closed) return
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
