import type { Clock } from '../shared/clock.ts'
import type { Log } from '../shared/log.ts'
import { HEALTHY, judgeHealth, type Health, type RetirementLimits } from './core/retirement.ts'

/** The shell of core/retirement.ts: measures this process with each heartbeat. */
export class HealthWatch {
  readonly #limits: RetirementLimits
  readonly #clock: Clock
  readonly #log: Log
  readonly #bornMs: number
  #health: Health = HEALTHY
  #lastMs: number
  #cpu = process.cpuUsage()
  #said: string | null = null

  constructor(limits: RetirementLimits, clock: Clock, log: Log) {
    this.#limits = limits
    this.#clock = clock
    this.#log = log
    this.#bornMs = clock.monotonicMs()
    this.#lastMs = this.#bornMs
  }

  /**
   * @param quietForMs since the last message came
   * @returns whether the process should go on in a fresh one now; asked again with each heartbeat until it does
   */
  look(quietForMs: number): { rssBytes: number; cpuMs: number; retire: boolean } {
    const nowMs = this.#clock.monotonicMs()
    const total = process.cpuUsage()
    const usedUs = total.user - this.#cpu.user + total.system - this.#cpu.system
    const cpuShare = usedUs / 1000 / Math.max(1, nowMs - this.#lastMs)
    this.#cpu = total
    this.#lastMs = nowMs
    const rssBytes = process.memoryUsage.rss()
    const sample = { nowMs, uptimeMs: nowMs - this.#bornMs, rssBytes, cpuShare, quietForMs }
    const { health, retire } = judgeHealth(this.#health, sample, this.#limits)
    this.#health = health
    if (retire !== null && retire !== this.#said) {
      this.#log.warn({ event: 'account.retire_request', why: retire, rssBytes, cpuShare }, 'Asks for a fresh process')
    }
    this.#said = retire ?? this.#said
    return { rssBytes, cpuMs: Math.round((total.user + total.system) / 1000), retire: retire !== null }
  }
}
