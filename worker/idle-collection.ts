import { Session } from 'node:inspector'
import type { Clock } from '../shared/clock.ts'
import { messageOf } from '../shared/errors.ts'
import type { Log } from '../shared/log.ts'
import { patienceOf, shouldCollect, type Collections } from './core/collection.ts'

/** The shell of core/collection.ts: looks with each heartbeat, and collects through V8's inspector. */
export class IdleCollection {
  readonly #clock: Clock
  readonly #log: Log
  readonly #patienceMs: number
  #last: Collections
  #isOver = true

  constructor(accountId: string, clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
    this.#patienceMs = patienceOf(accountId)
    this.#last = { usedBytes: 0, lastMs: clock.monotonicMs() }
  }

  /** @param quietForMs since anything of the account happened */
  async look(quietForMs: number): Promise<void> {
    if (!this.#isOver) return
    const nowMs = this.#clock.monotonicMs()
    const sample = { nowMs, quietForMs, usedBytes: usedBytes(), patienceMs: this.#patienceMs }
    if (!shouldCollect(this.#last, sample)) return
    this.#isOver = false
    try {
      await collectGarbage()
    } catch (error) {
      // A Node without an inspector. Workers are larger then, and well otherwise.
      this.#log.warn({ event: 'memory.not_collected', cause: messageOf(error) }, 'No collection in quiet moments')
    }
    this.#last = { usedBytes: usedBytes(), lastMs: this.#clock.monotonicMs() }
    this.#isOver = true
  }
}

/**
 * A full collection that also gives pages back, which gc() does not. It opens no port: the session is with this very
 * process. Ending the session before the answer would cancel it without a word.
 */
async function collectGarbage(): Promise<void> {
  const session = new Session()
  session.connect()
  try {
    await new Promise<void>((resolve, reject) =>
      session.post('HeapProfiler.collectGarbage', (error) => {
        if (error === null) resolve()
        else reject(new Error(error.message))
      }),
    )
  } finally {
    session.disconnect()
  }
}

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
