import type { MemorySample } from './evidence.ts'
import { ussOf } from './processes.ts'

/** A process this young is still loading its code and its sessions. */
const WARM_UP_MS = 10_000
/** Fewer say nothing of a trend. */
const SAMPLES_AT_LEAST = 9
/**
 * What a supervisor may grow by from the first third of its age to the last. In sound runs it shrinks: the first third
 * has the heap of the boot in it, some 60 MiB of 30 accounts, the last less than 50. V8 gives memory back late, so a fifth
 * and some MiB are its own; a leak of 0.2 MiB a second shows in a run of five minutes, a smaller one takes a longer run.
 */
const GROWTH = { factor: 1.2, plusKiB: 8 * 1024 }

export interface Trend {
  readonly samples: number
  readonly firstThirdKiB: number
  readonly lastThirdKiB: number
  readonly boundKiB: number
}

/** How a role's memory goes with the age of its processes; undefined where there are too few samples to tell. */
export function trendOf(samples: readonly MemorySample[], role: MemorySample['role']): Trend | undefined {
  const warm = samples.filter((sample) => sample.role === role && sample.ageMs >= WARM_UP_MS)
  if (warm.length < SAMPLES_AT_LEAST) return undefined
  const byAge = [...warm].sort((a, b) => a.ageMs - b.ageMs).map(({ ussKiB }) => ussKiB)
  const third = Math.floor(byAge.length / 3)
  const firstThirdKiB = median(byAge.slice(0, third))
  const lastThirdKiB = median(byAge.slice(-third))
  const boundKiB = firstThirdKiB * GROWTH.factor + GROWTH.plusKiB
  return { samples: byAge.length, firstThirdKiB, lastThirdKiB, boundKiB }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

export interface Subject {
  readonly pid: number
  readonly role: MemorySample['role']
}

/** Looks at the memory of the service's processes every `gapMs`, as long as it runs. */
export class MemoryWatch {
  readonly samples: MemorySample[] = []
  readonly #subjects: () => Subject[]
  readonly #timer: NodeJS.Timeout
  readonly #firstSeenMs = new Map<number, number>()

  constructor(subjects: () => Subject[], gapMs: number) {
    this.#subjects = subjects
    this.#timer = setInterval(() => this.#look(), gapMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const nowMs = performance.now()
    for (const { pid, role } of this.#subjects()) {
      const ussKiB = ussOf(pid)
      if (ussKiB === undefined) continue
      const firstSeenMs = this.#firstSeenMs.get(pid) ?? nowMs
      this.#firstSeenMs.set(pid, firstSeenMs)
      this.samples.push({ role, pid, ageMs: nowMs - firstSeenMs, ussKiB })
    }
  }
}
