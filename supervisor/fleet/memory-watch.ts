import type { Clock } from '../../shared/clock.ts'
import { errnoOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import {
  accountsShortOf,
  forgetShortage,
  judgeKill,
  noShortage,
  noteShortage,
  type MemoryShortage,
} from '../core/memory-shortage.ts'
import type { ProcessEnd } from './child-process.ts'
import { openOomCounter } from './oom-kills.ts'

/** The shell of core/memory-shortage.ts. */
export class MemoryWatch {
  readonly #clock: Clock
  readonly #log: Log
  readonly #count: () => number | null
  #shortage: MemoryShortage
  /** Epoch ms; null while there is memory. */
  #sinceMs: number | null = null

  /** @param count the kernel's kills for want of memory so far; null where they can't be read */
  constructor(clock: Clock, log: Log, count = openOomCounter()) {
    this.#clock = clock
    this.#log = log
    this.#count = count
    this.#shortage = noShortage(count())
  }

  /** Accounts whose worker was killed for want of memory within minutes, and since when (epoch ms); null while there are none. */
  get trouble(): { sinceMs: number; accounts: number } | null {
    const accounts = accountsShortOf(this.#shortage, this.#clock.monotonicMs())
    if (accounts === 0) this.#sinceMs = null
    return this.#sinceMs === null ? null : { sinceMs: this.#sinceMs, accounts }
  }

  /** @returns whether this end, which nobody here brought about, was for want of memory */
  judge(accountId: string, { signal, error }: Pick<ProcessEnd, 'signal' | 'error'>): boolean {
    const wasShort = this.trouble !== null
    const nowMs = this.#clock.monotonicMs()
    let outOfMemory = false
    if (signal === 'SIGKILL') {
      const judged = judgeKill(this.#shortage, accountId, this.#count(), nowMs)
      this.#shortage = judged.shortage
      outOfMemory = judged.outOfMemory
    } else if (error !== undefined && errnoOf(error) === 'ENOMEM') {
      // Not even the fork found any.
      this.#shortage = noteShortage(this.#shortage, accountId, nowMs)
      outOfMemory = true
    }
    if (outOfMemory && !wasShort) {
      this.#sinceMs = this.#clock.nowMs()
      this.#log.error(
        { event: 'memory.short', accountId },
        'The machine has run out of memory: the kernel ends workers, those that have just begun first',
      )
    }
    return outOfMemory
  }

  /** The operator has paused or removed the account. */
  forget(accountId: string): void {
    this.#shortage = forgetShortage(this.#shortage, accountId)
  }
}
