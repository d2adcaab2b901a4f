import fc from 'fast-check'
import t from 'tap'
import { stepConnection } from '../../../../worker/core/connection.ts'
import {
  deadlineOf,
  NEW_CONNECTION,
  type Connection,
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionLimits,
} from '../../../../worker/core/connection-state.ts'
import { DEAF_AFTER_MS } from '../../../../worker/core/liveness.ts'

const LIMITS: ConnectionLimits = {
  maxReconnectAttempts: 5,
  refusalPeriodMs: 0,
  healthCheckIntervalMs: 60_000,
  staleConnectionThresholdMs: 300_000,
  renewAfterSockets: 200,
}

/** A connection that opens whenever it may, and whose server is never silent. */
class Run {
  c: Connection = NEW_CONNECTION
  nowMs = 0
  readonly effects: ConnectionEffect['type'][] = []

  constructor() {
    this.step({ type: 'begin', linked: true, pairing: false })
    this.open()
  }

  step(event: ConnectionEvent): void {
    const [next, effects] = stepConnection(this.c, event, this.nowMs, LIMITS)
    this.c = next
    this.effects.push(...effects.map(({ type }) => type))
  }

  open(): void {
    this.step({ type: 'permit', shared: false })
    this.step({ type: 'open', socket: this.c.socket, wrongPhone: false })
  }

  /** Health checks until `untilMs`, or until one ends the socket. */
  checks(untilMs: number, heard: { unheardSinceMs: number | null; lastHeardMs: number | null }): void {
    while (this.c.state.name === 'open' && (deadlineOf(this.c) ?? Infinity) <= untilMs) {
      this.nowMs = Math.max(this.nowMs, deadlineOf(this.c) ?? 0)
      const unheardSinceMs = (heard.unheardSinceMs ?? Infinity) <= this.nowMs ? heard.unheardSinceMs : null
      this.step({ type: 'timer', lastFrameMs: this.nowMs, linked: true, random: 0.5, ...heard, unheardSinceMs })
    }
  }

  get renewed(): boolean {
    return this.effects.includes('renew_process')
  }
}

t.test('a deaf socket is replaced at once, and costs nothing', async (t) => {
  const run = new Run()
  run.checks(10_000_000, { unheardSinceMs: 500_000, lastHeardMs: 400_000 })
  t.match(run.c.state, { name: 'queued', reason: 'deaf', code: null })
  t.ok(run.nowMs >= 500_000 + DEAF_AFTER_MS, 'not before its time')
  t.ok(run.nowMs <= 500_000 + DEAF_AFTER_MS + LIMITS.healthCheckIntervalMs, 'at the first check after it')
  t.match(run.c, { attempt: 0, refusals: 0, deafInRow: 1 })
  t.strictSame(run.effects.slice(-3), ['show_qr', 'tear_down', 'request_permit'])
})

t.test('a second one that has heard nothing in between goes on in a new process', async (t) => {
  const run = new Run()
  run.checks(1_000_000, { unheardSinceMs: 0, lastHeardMs: null })
  run.open()
  run.checks(2_000_000, { unheardSinceMs: run.nowMs + 700_000, lastHeardMs: null })
  t.equal(run.renewed, true, 'frames alone, for hours, are no hearing')
  t.equal(run.c.state.name, 'stopped')
})

t.test('a lost connection between two deaf ones is no hearing either', async (t) => {
  const run = new Run()
  run.checks(1_000_000, { unheardSinceMs: 0, lastHeardMs: null })
  run.open()
  run.step({ type: 'closed', socket: run.c.socket, cause: { from: 'transport', code: 428 }, linked: true, random: 0.5 })
  run.step({ type: 'retry' })
  run.open()
  run.checks(2_000_000, { unheardSinceMs: run.nowMs, lastHeardMs: null })
  t.equal(run.renewed, true)
})

t.test('who heard something in between is deaf for the first time again', async (t) => {
  const run = new Run()
  run.checks(1_000_000, { unheardSinceMs: 0, lastHeardMs: null })
  run.open()
  run.checks(3_000_000, { unheardSinceMs: run.nowMs + 600_000, lastHeardMs: run.nowMs + 1000 })
  t.equal(run.renewed, false)
  t.match(run.c, { state: { name: 'queued', reason: 'deaf' }, deafInRow: 1 })
})

t.test('a check decides by the time since something was unheard, and by nothing else', async () => {
  fc.assert(
    fc.property(fc.nat(400_000), fc.option(fc.nat(400_000)), (afterMs, unheardMs) => {
      const run = new Run()
      run.nowMs = (deadlineOf(run.c) ?? 0) + afterMs
      const unheardSinceMs = unheardMs === null ? null : Math.max(0, run.nowMs - unheardMs)
      run.step({ type: 'timer', lastFrameMs: run.nowMs, unheardSinceMs, lastHeardMs: 1, linked: true, random: 0 })
      const deaf = unheardSinceMs !== null && run.nowMs - unheardSinceMs >= DEAF_AFTER_MS
      if ((run.c.state.name === 'queued') !== deaf) throw new Error(`${run.c.state.name}, unheard for ${unheardMs}`)
    }),
  )
})
