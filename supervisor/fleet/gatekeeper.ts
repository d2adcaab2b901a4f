import type { Clock, Timer } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import {
  grantPermits,
  isClosed,
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
  readonly #onGrant: (accountId: string, shared: boolean) => void
  readonly #onReopen: () => void
  readonly #onAbandon: (accountId: string) => void
  #gate: Gate
  #timer: Timer | undefined
  #closedSinceMs: number | null = null
  #heldSinceMs: number | null = null
  #nextMs: number | null = null
  readonly #attempts: Record<PermitResult | 'granted', number> = {
    granted: 0,
    opened: 0,
    answered: 0,
    failed: 0,
    unused: 0,
  }

  /**
   * @param onGrant the account may open its socket; `shared`: as the probe of a fleet in trouble
   * @param onReopen WhatsApp can be reached again: whoever waits out a backoff may ask now
   * @param onAbandon what this account is opening hangs from the time before that: it shall open another
   */
  constructor(
    limits: GateLimits,
    clock: Clock,
    log: Log,
    onGrant: (accountId: string, shared: boolean) => void,
    onReopen: () => void,
    onAbandon: (accountId: string) => void,
  ) {
    this.#limits = limits
    this.#clock = clock
    this.#log = log
    this.#onGrant = onGrant
    this.#onReopen = onReopen
    this.#onAbandon = onAbandon
    this.#gate = newGate(limits)
  }

  /** Set while connects of several accounts fail: since when (epoch ms), and of which. */
  get trouble(): { sinceMs: number; accountIds: string[] } | null {
    return this.#closedSinceMs === null ? null : { sinceMs: this.#closedSinceMs, accountIds: [...this.#gate.failing] }
  }

  /** Epoch ms of the next permit that is planned; null where none is. */
  get nextProbeAtMs(): number | null {
    return this.#nextMs === null ? null : Math.round(this.#nextMs + this.#clock.nowMs() - this.#clock.monotonicMs())
  }

  /** Set while the operator lets nobody connect; epoch ms. */
  get hold(): { sinceMs: number } | null {
    return this.#heldSinceMs === null ? null : { sinceMs: this.#heldSinceMs }
  }

  /** For whoever measures: who waits and who tries now, and what came of all attempts since the start. */
  get counts(): { waiting: number; underWay: number; attempts: Readonly<Record<PermitResult | 'granted', number>> } {
    const { queue, inFlight, overdue } = this.#gate
    return { waiting: queue.length, underWay: inFlight.size + overdue.size, attempts: this.#attempts }
  }

  /** Lets nobody pass from now on (epoch ms), or (null) again everybody in turn. What is being opened is let finish. */
  setHold(sinceMs: number | null): void {
    this.#heldSinceMs = sinceMs
    this.#pump()
  }

  request(accountId: string, isFirstLogin = false): void {
    this.#gate = requestPermit(this.#gate, accountId, isFirstLogin)
    this.#pump()
  }

  withdraw(accountId: string): void {
    this.#gate = withdrawPermit(this.#gate, accountId)
    this.#pump()
  }

  settle(accountId: string, result: PermitResult): void {
    this.#attempts[result]++
    const { gate, reopened } = settlePermit(this.#gate, accountId, result, this.#clock.monotonicMs(), this.#limits)
    this.#become(gate)
    if (reopened) {
      this.#log.info({ event: 'gate.opened' }, 'WhatsApp answers again: the others follow')
      this.#onReopen()
    }
    this.#pump()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #become(gate: Gate): void {
    if (!isClosed(this.#gate) && isClosed(gate)) {
      this.#log.warn(
        { event: 'gate.closed', accounts: gate.failing.size },
        'Connects of several accounts fail: one probes at a time',
      )
    }
    if (isClosed(gate)) this.#closedSinceMs ??= this.#clock.nowMs()
    else this.#closedSinceMs = null
    this.#gate = gate
  }

  #pump(): void {
    this.#timer?.cancel()
    this.#nextMs = null
    if (this.#heldSinceMs !== null) return
    const { gate, granted, abandoned, nextMs } = grantPermits(this.#gate, this.#clock.monotonicMs(), this.#limits)
    this.#become(gate)
    for (const accountId of abandoned) this.#onAbandon(accountId)
    this.#attempts.granted += granted.length
    for (const accountId of granted) this.#onGrant(accountId, isClosed(gate))
    if (nextMs !== undefined) {
      this.#nextMs = nextMs
      this.#timer = this.#clock.setTimer(nextMs - this.#clock.monotonicMs(), () => this.#pump())
    }
  }
}
