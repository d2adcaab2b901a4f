import type { Clock, Timer } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import {
  grantPermits,
  newGate,
  requestPermit,
  settlePermit,
  withdrawPermit,
  type Gate,
  type GateLimits,
  type PermitResult,
} from '../core/connect-gate.ts'

/** The shell of core/connect-gate.ts: keeps the one gate of the fleet, its timer, and tells who may go. */
export class Gatekeeper {
  readonly #limits: GateLimits
  readonly #clock: Clock
  readonly #log: Log
  readonly #onGrant: (accountId: string) => void
  readonly #onReopen: () => void
  #gate: Gate
  #timer: Timer | undefined

  /**
   * @param onGrant the account may open its socket
   * @param onReopen WhatsApp can be reached again: whoever waits out a backoff may ask now
   */
  constructor(limits: GateLimits, clock: Clock, log: Log, onGrant: (accountId: string) => void, onReopen: () => void) {
    this.#limits = limits
    this.#clock = clock
    this.#log = log
    this.#onGrant = onGrant
    this.#onReopen = onReopen
    this.#gate = newGate(limits)
  }

  request(accountId: string): void {
    this.#gate = requestPermit(this.#gate, accountId)
    this.#pump()
  }

  withdraw(accountId: string): void {
    this.#gate = withdrawPermit(this.#gate, accountId)
    this.#pump()
  }

  settle(accountId: string, result: PermitResult): void {
    const wasClosed = this.#gate.probes !== undefined
    const { gate, reopened } = settlePermit(this.#gate, accountId, result, this.#limits)
    this.#gate = gate
    if (!wasClosed && gate.probes !== undefined) {
      this.#log.warn(
        { event: 'gate.closed', failures: gate.failuresInRow },
        'Connects fail: one account probes at a time',
      )
    }
    if (reopened) {
      this.#log.info({ event: 'gate.opened' }, 'WhatsApp answers again: the others follow')
      this.#onReopen()
    }
    this.#pump()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #pump(): void {
    this.#timer?.cancel()
    const { gate, granted, nextMs } = grantPermits(this.#gate, this.#clock.monotonicMs(), this.#limits)
    this.#gate = gate
    for (const accountId of granted) this.#onGrant(accountId)
    if (nextMs !== undefined) {
      this.#timer = this.#clock.setTimer(nextMs - this.#clock.monotonicMs(), () => this.#pump())
    }
  }
}
