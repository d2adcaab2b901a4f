import t from 'tap'
import { backoffMs } from '../../../../shared/backoff.ts'
import { GATE_LIMITS, type GateLimits } from '../../../../supervisor/core/connect-gate.ts'
import { Gatekeeper } from '../../../../supervisor/fleet/gatekeeper.ts'
import type { Timer } from '../../../../shared/clock.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

/** From the permit to the login of a healthy account: 0.3 s on a quiet host, several times that where all come at once. */
const OPEN_MS = 1500
/** The worker's own time for an old socket to be torn down. */
const TEAR_DOWN_MS = 1000
/** Baileys' connect timeout: what a connection takes to fail where packets vanish. */
const HANG_MS = 20_000

interface Outage {
  fromMs: number
  untilMs: number
  /** How long a server that is down takes to say so: a refused connection answers at once. */
  refusalMs: number
}

/**
 * A fleet of accounts that do what a worker does (backoff after a failure, a request when the gate reopens), in front of
 * a server that drops everybody at the begin of an outage and refuses until its end. Runs on the injected clock alone.
 */
class SimulatedFleet {
  readonly clock = new ManualClock()
  readonly captured = captureLog()
  readonly grantsMs: number[] = []
  readonly connectedMs = new Map<string, number>()
  readonly gate: Gatekeeper
  reopened = 0
  abandoned = 0
  readonly #outage: Outage | undefined
  readonly #ids: readonly string[]
  readonly #attempts = new Map<string, number>()
  readonly #waiting = new Map<string, Timer>()
  readonly #opening = new Map<string, Timer>()
  /** Accounts whose login takes another time than OPEN_MS. */
  readonly slowMs = new Map<string, number>()

  constructor(size: number, outage?: Outage, limits: GateLimits = GATE_LIMITS) {
    this.#outage = outage
    this.#ids = Array.from({ length: size }, (_, i) => `a${i}`)
    this.gate = new Gatekeeper(
      limits,
      this.clock,
      this.captured.log,
      (id) => this.#open(id),
      () => this.#retryAll(),
      (id) => this.#abandon(id),
    )
  }

  /** Everybody asks at once: the worst case of a boot without stagger. */
  boot(): void {
    for (const id of this.#ids) this.gate.request(id)
  }

  /** Everybody is dropped at this moment, and waits out a first backoff. */
  drop(): void {
    for (const id of this.#ids) {
      this.connectedMs.delete(id)
      this.#backOff(id)
    }
  }

  get lastConnectedMs(): number {
    return Math.max(...this.connectedMs.values())
  }

  #open(id: string): void {
    this.grantsMs.push(this.clock.monotonicMs())
    const { clock } = this
    const outage = this.#outage
    const down = outage !== undefined && clock.monotonicMs() >= outage.fromMs && clock.monotonicMs() < outage.untilMs
    const timer = clock.setTimer(down ? outage.refusalMs : (this.slowMs.get(id) ?? OPEN_MS), () => {
      this.#opening.delete(id)
      if (down) {
        this.gate.settle(id, 'failed')
        this.#backOff(id)
        return
      }
      this.#attempts.set(id, 0)
      this.connectedMs.set(id, clock.monotonicMs())
      this.gate.settle(id, 'opened')
    })
    this.#opening.set(id, timer)
  }

  #abandon(id: string): void {
    const timer = this.#opening.get(id)
    if (timer === undefined) return
    timer.cancel()
    this.#opening.delete(id)
    this.abandoned++
    this.clock.setTimer(TEAR_DOWN_MS, () => this.gate.request(id))
  }

  #backOff(id: string): void {
    const attempt = (this.#attempts.get(id) ?? 0) + 1
    this.#attempts.set(id, attempt)
    const spread = (this.#ids.indexOf(id) % 10) / 10
    const timer = this.clock.setTimer(backoffMs(attempt, spread), () => {
      this.#waiting.delete(id)
      this.gate.request(id)
    })
    this.#waiting.set(id, timer)
  }

  #retryAll(): void {
    this.reopened++
    for (const [id, timer] of [...this.#waiting]) {
      timer.cancel()
      this.#waiting.delete(id)
      this.gate.request(id)
    }
  }
}

/** The most grants within any window of a second. */
function peakPerSecond(grantsMs: readonly number[]): number {
  return Math.max(...grantsMs.map((fromMs) => grantsMs.filter((ms) => ms >= fromMs && ms < fromMs + 1000).length))
}

t.test('a healthy server: 30 and 200 accounts come up once each, at the rate of the gate', async (t) => {
  for (const size of [30, 200]) {
    const fleet = new SimulatedFleet(size)
    fleet.boot()
    fleet.clock.advance(120_000)
    t.equal(fleet.connectedMs.size, size)
    t.equal(fleet.grantsMs.length, size, 'one attempt an account')
    t.equal(peakPerSecond(fleet.grantsMs), GATE_LIMITS.maxPerSecond)
    t.ok(fleet.lastConnectedMs <= (size / GATE_LIMITS.maxPerSecond) * 1000 + OPEN_MS, `${fleet.lastConnectedMs} ms`)
    t.equal(fleet.clock.pending, 0, 'nothing is left to wait for')
  }
})

for (const [downMs, mostAttempts] of [
  [4000, 10],
  [60_000, 20],
  [3_600_000, 730],
] as const) {
  t.test(`a server that refuses for ${downMs / 1000} s`, async (t) => {
    for (const size of [30, 200]) {
      const untilMs = 10_000 + downMs
      const fleet = new SimulatedFleet(size, { fromMs: 10_000, untilMs, refusalMs: 5 })
      fleet.clock.advance(10_000)
      fleet.drop()
      fleet.clock.advance(downMs)
      const during = fleet.grantsMs.length
      t.ok(during <= mostAttempts, `${during} attempts of ${size} accounts, at most ${mostAttempts} wanted`)
      t.ok(during >= 3, 'and it was tried')
      fleet.clock.advance(300_000)
      t.equal(fleet.connectedMs.size, size, 'everybody is back')
      const backMs = fleet.lastConnectedMs - untilMs
      // 30 within 15 s; 200 at 5 a second can't be faster than 40 s.
      const wantedMs = size === 30 ? 15_000 : 55_000
      t.ok(backMs <= wantedMs, `${size} accounts were back after ${backMs} ms, ${wantedMs} wanted`)
      t.equal(fleet.grantsMs.length - during, size, 'nobody needed a second attempt')
      t.ok(peakPerSecond(fleet.grantsMs) <= GATE_LIMITS.maxPerSecond, 'never a storm')
      t.equal(fleet.reopened, 1)
      const events = fleet.captured.lines().map(({ event }) => event)
      t.strictSame(events, ['gate.closed', 'gate.opened'], 'one event of the fleet, not one an account')
    }
  })
}

t.test('30 accounts are back within 15 s, whenever between two probes the server returns', async (t) => {
  const worst = { backMs: 0, untilMs: 0 }
  for (let untilMs = 60_000; untilMs <= 69_000; untilMs += 100) {
    const fleet = new SimulatedFleet(30, { fromMs: 0, untilMs, refusalMs: 5 })
    fleet.drop()
    fleet.clock.advance(untilMs + 60_000)
    const backMs = fleet.lastConnectedMs - untilMs
    if (fleet.connectedMs.size < 30) t.fail(`${fleet.connectedMs.size} are back`)
    if (backMs > worst.backMs) Object.assign(worst, { backMs, untilMs })
  }
  t.ok(worst.backMs <= 15_000, `at worst after ${worst.backMs} ms (return at ${worst.untilMs})`)
})

t.test('where packets vanish 30 accounts are back within 15 s as well, whenever they come back', async (t) => {
  const worst = { backMs: 0, untilMs: 0 }
  const returns = [
    ...Array.from({ length: 300 }, (_, i) => i * 100),
    ...Array.from({ length: 60 }, (_, i) => 600_000 + i * 100),
  ]
  for (const untilMs of returns) {
    const fleet = new SimulatedFleet(30, { fromMs: 0, untilMs, refusalMs: HANG_MS })
    fleet.drop()
    fleet.clock.advance(untilMs + 60_000)
    const backMs = fleet.lastConnectedMs - untilMs
    if (fleet.connectedMs.size < 30) t.fail(`${fleet.connectedMs.size} are back`)
    t.ok(peakPerSecond(fleet.grantsMs) <= GATE_LIMITS.maxPerSecond, 'never a storm')
    if (backMs > worst.backMs) Object.assign(worst, { backMs, untilMs })
  }
  t.ok(worst.backMs <= 15_000, `at worst after ${worst.backMs} ms (return at ${worst.untilMs})`)
})

t.test('an hour of vanishing packets costs the fleet twelve attempts a minute', async (t) => {
  for (const size of [30, 200]) {
    const fleet = new SimulatedFleet(size, { fromMs: 0, untilMs: 3_600_000, refusalMs: HANG_MS })
    fleet.drop()
    fleet.clock.advance(3_600_000)
    t.ok(fleet.grantsMs.length <= 10 + 12 * 60, `${fleet.grantsMs.length} attempts of ${size} accounts`)
    fleet.clock.advance(60_000)
    t.equal(fleet.connectedMs.size, size)
    t.ok(fleet.abandoned > 0, 'what hung when the server came back did not hang on')
    t.equal(fleet.reopened, 1)
  }
})

t.test('accounts whose login takes a minute do not hold the rest, and come up too', async (t) => {
  const fleet = new SimulatedFleet(30)
  for (const id of ['a0', 'a1', 'a7']) fleet.slowMs.set(id, 60_000)
  fleet.boot()
  fleet.clock.advance(15_000)
  t.equal(fleet.connectedMs.size, 27, 'the rest is up')
  fleet.clock.advance(60_000)
  t.equal(fleet.connectedMs.size, 30)
  t.equal(fleet.grantsMs.length, 33, 'a slow one was asked to begin anew once: its first attempt might have hung')
  t.equal(peakPerSecond(fleet.grantsMs), GATE_LIMITS.maxPerSecond)
})

t.test('a slow account comes up after an outage of all', async (t) => {
  const fleet = new SimulatedFleet(30, { fromMs: 0, untilMs: 60_000, refusalMs: 5 })
  fleet.slowMs.set('a3', 30_000)
  fleet.drop()
  fleet.clock.advance(180_000)
  t.equal(fleet.connectedMs.size, 30)
  t.ok(fleet.abandoned <= 2, `${fleet.abandoned}`)
})

t.test('a permit whose owner is gone does not hold up the others', async (t) => {
  const clock = new ManualClock()
  const granted: string[] = []
  const gate = new Gatekeeper(
    { ...GATE_LIMITS, maxInFlight: 1 },
    clock,
    captureLog().log,
    (id) => granted.push(id),
    () => undefined,
    () => undefined,
  )
  for (const id of ['a', 'b', 'c']) gate.request(id)
  clock.advance(4000)
  t.strictSame(granted, ['a'])
  gate.withdraw('b')
  gate.withdraw('a')
  t.strictSame(granted, ['a', 'c'])
})

t.test('a permit that nobody answers makes room in time', async (t) => {
  const clock = new ManualClock()
  const granted: string[] = []
  const gate = new Gatekeeper(
    { ...GATE_LIMITS, maxInFlight: 1 },
    clock,
    captureLog().log,
    (id) => granted.push(id),
    () => undefined,
    () => undefined,
  )
  gate.request('a')
  gate.request('b')
  clock.advance(GATE_LIMITS.patienceMs - 1)
  t.strictSame(granted, ['a'])
  clock.advance(1)
  t.strictSame(granted, ['a', 'b'])
})

t.test('after stop no timer is left', async (t) => {
  const clock = new ManualClock()
  const granted: string[] = []
  const gate = new Gatekeeper(
    GATE_LIMITS,
    clock,
    captureLog().log,
    (id) => granted.push(id),
    () => undefined,
    () => undefined,
  )
  for (const id of ['a', 'b', 'c']) gate.request(id)
  gate.stop()
  gate.stop()
  t.equal(clock.pending, 0)
  clock.advance(10_000)
  t.strictSame(granted, ['a'])
})
