import { readFileSync } from 'node:fs'
import type { Clock } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import { judgeKill, noShortage, shortageAt, type MemoryShortage } from '../core/memory-shortage.ts'

/** The shell of core/memory-shortage.ts. */
export class MemoryWatch {
  readonly #clock: Clock
  readonly #log: Log
  readonly #count: () => number | null
  #shortage: MemoryShortage
  /** Epoch ms; null while there is memory. */
  #sinceMs: number | null = null

  /** @param count the kernel's kills for want of memory so far; null where they can't be read */
  constructor(clock: Clock, log: Log, count: () => number | null = countOomKills) {
    this.#clock = clock
    this.#log = log
    this.#count = count
    this.#shortage = noShortage(count())
  }

  /** Accounts whose worker was killed for want of memory within minutes, and since when (epoch ms); null while there are none. */
  get trouble(): { sinceMs: number; accounts: number } | null {
    const short = shortageAt(this.#shortage, this.#clock.monotonicMs())
    if (short === null) this.#sinceMs = null
    return short === null || this.#sinceMs === null ? null : { sinceMs: this.#sinceMs, accounts: short.accounts }
  }

  /** @returns whether this end, by a signal that nobody here sent, was the kernel's for want of memory */
  judge(accountId: string, signal: string | null): boolean {
    if (signal !== 'SIGKILL') return false
    const before = this.trouble
    const { shortage, outOfMemory } = judgeKill(this.#shortage, accountId, this.#count(), this.#clock.monotonicMs())
    this.#shortage = shortage
    if (outOfMemory && before === null) {
      this.#sinceMs = this.#clock.nowMs()
      this.#log.error(
        { event: 'memory.short', accountId },
        'The machine has run out of memory: the kernel ends workers, those that have just begun first',
      )
    }
    return outOfMemory
  }
}

/**
 * Processes of this machine that the kernel has killed because memory, or a control group's share of it, ran out. Null on a kernel that
 * does not say (before Linux 4.13, some containers).
 */
function countOomKills(): number | null {
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1]
    return count === undefined ? null : Number(count)
  } catch {
    return null
  }
}
