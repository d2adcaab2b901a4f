import type { Clock } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import { forgetRefusal, judgeRefusal, MANY, NO_REFUSALS, recentRefusals, type Refusals } from '../core/mass-refusal.ts'

/** The shell of core/mass-refusal.ts. */
export class MassRefusals {
  readonly #clock: Clock
  readonly #log: Log
  #refusals: Refusals = NO_REFUSALS
  #sinceMs: number | null = null

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** Accounts that WhatsApp refused within minutes, and since when (epoch ms); null while they are few. */
  get trouble(): { sinceMs: number; accounts: number } | null {
    const accounts = recentRefusals(this.#refusals, this.#clock.monotonicMs())
    if (accounts < MANY) this.#sinceMs = null
    return this.#sinceMs === null ? null : { sinceMs: this.#sinceMs, accounts }
  }

  /** @returns whether the session of this account may be set aside */
  judge(accountId: string): boolean {
    const { refusals, allowed } = judgeRefusal(this.#refusals, accountId, this.#clock.monotonicMs())
    this.#refusals = refusals
    if (!allowed) {
      this.#sinceMs ??= this.#clock.nowMs()
      this.#log.error(
        { event: 'session.kept', accountId, accounts: recentRefusals(refusals, this.#clock.monotonicMs()) },
        'WhatsApp refuses many sessions at once: this one is left in its place and tried again later',
      )
    }
    return allowed
  }

  /** The account is connected. */
  forget(accountId: string): void {
    this.#refusals = forgetRefusal(this.#refusals, accountId)
  }
}
