import { reportOf } from '../../../../worker/core/connection-report.ts'
import fc from 'fast-check'
import t from 'tap'
import type { CloseCause } from '../../../../worker/core/disconnect-policy.ts'
import { stepConnection } from '../../../../worker/core/connection.ts'
import {
  deadlineOf,
  NEW_CONNECTION,
  type Connection,
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionLimits,
} from '../../../../worker/core/connection-state.ts'

const LIMITS: ConnectionLimits = {
  maxReconnectAttempts: 5,
  refusalPeriodMs: 0,
  healthCheckIntervalMs: 60_000,
  staleConnectionThresholdMs: 300_000,
  renewAfterSockets: 200,
}

/** Carries out what the core wants, and refuses what must never be wanted. */
class Shell {
  c: Connection = NEW_CONNECTION
  nowMs = 0
  readonly effects: ConnectionEffect[] = []
  #live: number | undefined
  #answers = 0
  #qr: string | null = null
  #asked = false

  step(event: ConnectionEvent): void {
    const before = this.c
    const [next, effects] = stepConnection(before, event, this.nowMs, LIMITS)
    this.c = next
    let tornDown = false
    for (const effect of effects) {
      this.effects.push(effect)
      switch (effect.type) {
        case 'open_socket':
          if (this.#live !== undefined) throw new Error('a second socket')
          if (event.type !== 'permit' || !this.#asked) throw new Error(`a socket on ${event.type}, without a permit`)
          if (effect.socket <= before.socket) throw new Error('a number was used twice')
          this.#live = effect.socket
          this.#answers = 0
          this.#asked = false
          break
        case 'tear_down':
          if (effect.socket !== this.#live) throw new Error('tears down what is not there')
          this.#live = undefined
          tornDown = true
          break
        case 'permit_result':
          this.#answers++
          break
        case 'request_permit':
          this.#asked = true
          break
        case 'show_qr':
          this.#qr = effect.text
          break
        case 'ask_set_aside':
        case 'set_aside':
          if (this.#live !== undefined) throw new Error('set aside under a living socket')
          break
        case 'probe':
        case 'log_out':
          if (effect.socket !== this.#live) throw new Error('asks a socket that is not there')
          break
        case 'renew_process':
          if (this.#live !== undefined) throw new Error('leaves a socket behind')
      }
    }
    if (tornDown && this.#answers === 0) throw new Error('a permit was never answered')
    const { name } = next.state
    const has = name === 'opening' || name === 'pairing' || name === 'open'
    if (has !== (this.#live !== undefined)) throw new Error(`${name} with socket ${this.#live}`)
    if (name !== 'pairing' && this.#qr !== null) throw new Error(`${name} still shows a QR code`)
    if ((deadlineOf(next) === undefined) !== (name === 'idle' || name === 'stopped'))
      throw new Error(`${name}: deadline`)
    if (name === 'queued' && !this.#asked) throw new Error('queued without having asked')
    const { attempt, refusals } = next
    if (attempt < 0 || refusals >= LIMITS.maxReconnectAttempts)
      throw new Error(`${attempt} tries, ${refusals} refusals`)
  }

  /** The timer of the current state fires when it is due; each of them must lead somewhere. */
  timer(lastFrameMs: number, linked: boolean, random: number, unheardSinceMs: number | null = null): void {
    const dueMs = deadlineOf(this.c)
    if (dueMs === undefined) return
    this.nowMs = Math.max(this.nowMs, dueMs)
    const before = this.c
    const lastHeardMs = random < 0.5 ? null : this.nowMs
    this.step({ type: 'timer', lastFrameMs, unheardSinceMs, lastHeardMs, linked, random })
    const nextMs = deadlineOf(this.c)
    if (this.c.state.name === before.state.name && nextMs !== undefined && nextMs <= this.nowMs) {
      throw new Error(`the timer of ${before.state.name} would fire again at once`)
    }
  }
}

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const code = fc.constantFrom(
  null,
  400,
  401,
  402,
  403,
  405,
  406,
  408,
  409,
  411,
  418,
  428,
  429,
  440,
  463,
  500,
  503,
  515,
  516,
)
const anyCause: fc.Arbitrary<CloseCause> = fc.record({
  from: fc.constantFrom(
    'transport',
    'login',
    'stream',
    'upgrade',
    'qr_expired',
    'open_timeout',
    'stale',
    'deaf',
    'protocol',
  ),
  code,
})
const outageCause: fc.Arbitrary<CloseCause> = fc.oneof(
  fc.record({ from: fc.constant('transport' as const), code: fc.constantFrom(null, 400, 408, 428, 500, 503, 1006) }),
  fc.record({ from: fc.constant('upgrade' as const), code: fc.constantFrom(null, 401, 403, 404, 429, 500, 502, 503) }),
  fc.record({ from: fc.constant('stream' as const), code: fc.constantFrom(null, 429, 500, 503, 516, 540) }),
  fc.record({ from: fc.constant('login' as const), code: fc.constantFrom(429, 503) }),
  fc.record({ from: fc.constantFrom('open_timeout' as const, 'protocol' as const), code: fc.constant(null) }),
)

const op = fc.record({
  op: fc.constantFrom(
    'permit',
    'permit',
    'retry',
    'abandon',
    'pair',
    'qr',
    'new_login',
    'open',
    'open',
    'closed',
    'timer',
    'timer',
    'pass',
    'passkey_required',
    'number_taken',
    'set_aside_answer',
    'version_changed',
    'retire',
  ),
  cause: anyCause,
  linked: fc.boolean(),
  random,
  old: fc.integer({ min: 1, max: 3 }),
  ms: fc.integer({ min: 0, max: 400_000 }),
})

t.test(
  'whatever happens: one socket, only with a permit, each state with an end, old sockets without a say',
  async () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), fc.array(op, { maxLength: 80, size: 'max' }), (linked, pairing, ops) => {
        const shell = new Shell()
        if (linked && pairing) shell.step({ type: 'pair', linked: false })
        shell.step({ type: 'begin', linked, pairing })
        for (const { op, cause, linked, random, old, ms } of ops) {
          const socket = shell.c.socket
          switch (op) {
            case 'permit':
              shell.step({ type: op, shared: random < 0.5 })
              break
            case 'retry':
            case 'abandon':
              shell.step({ type: op })
              break
            case 'pair':
              shell.step({ type: op, linked })
              break
            case 'qr':
              shell.step({ type: op, socket, text: 'qr', lifetimeMs: 20_000 })
              break
            case 'new_login':
              shell.step({ type: op, socket })
              break
            case 'open':
              shell.step({ type: op, socket, wrongPhone: random < 0.2 })
              break
            case 'closed':
              shell.step({ type: op, socket, cause, linked, random })
              break
            case 'timer':
              shell.timer(shell.nowMs - ms, linked, random, old === 1 ? shell.nowMs - ms : null)
              break
            case 'pass':
              shell.nowMs += ms
              break
            case 'passkey_required':
              shell.step({ type: op, socket })
              break
            case 'set_aside_answer':
              shell.step({ type: op, allowed: random < 0.5 })
              break
            case 'number_taken':
            case 'version_changed':
            case 'retire':
              shell.step({ type: op })
              break
          }
          const before = shell.c
          for (const number of [before.socket - old, before.socket + old]) {
            shell.step({ type: 'closed', socket: number, cause, linked, random })
            shell.step({ type: 'open', socket: number, wrongPhone: false })
            shell.step({ type: 'new_login', socket: number })
            shell.step({ type: 'passkey_required', socket: number })
            shell.step({ type: 'qr', socket: number, text: 'old', lifetimeMs: 1 })
          }
          if (shell.c !== before) throw new Error('an old socket changed something')
        }
      }),
      { numRuns: 500 },
    )
  },
)

t.test('an outage of any length and kind costs a linked account nothing, and it comes back', async () => {
  const end = fc.record({
    cause: outageCause,
    random,
    openFirst: fc.boolean(),
    retry: fc.boolean(),
    gateMs: fc.nat(400_000),
  })
  fc.assert(
    fc.property(fc.array(end, { minLength: 1, maxLength: LIMITS.renewAfterSockets - 2, size: 'max' }), (ends) => {
      const shell = new Shell()
      shell.step({ type: 'begin', linked: true, pairing: false })
      const toQueue = (random: number): void => {
        if (shell.c.state.name === 'waiting') shell.timer(0, true, random)
        if (shell.c.state.name !== 'queued') throw new Error(`${shell.c.state.name} instead of queued`)
      }
      for (const { cause, random, openFirst, retry, gateMs } of ends) {
        if (retry) shell.step({ type: 'retry' })
        const waitMs = (deadlineOf(shell.c) ?? Infinity) - shell.nowMs
        if (shell.c.state.name === 'waiting' && waitMs > 33_000) throw new Error(`waits for ${waitMs} ms`)
        toQueue(random)
        // A long turn at the gate: the worker asks again, and nothing else.
        const turnMs = shell.nowMs + gateMs
        while ((deadlineOf(shell.c) ?? Infinity) < turnMs) shell.timer(0, true, random)
        shell.nowMs = Math.max(shell.nowMs, turnMs)
        shell.step({ type: 'permit', shared: false })
        if (openFirst) shell.step({ type: 'open', socket: shell.c.socket, wrongPhone: false })
        shell.step({ type: 'closed', socket: shell.c.socket, cause, linked: true, random })
        const { status } = reportOf(shell.c, shell.nowMs, shell.nowMs)
        if (status !== 'disconnected') throw new Error(`shown as ${status}`)
      }
      if (shell.effects.some(({ type }) => type === 'set_aside' || type === 'renew_process')) throw new Error('cost')
      toQueue(0)
      shell.step({ type: 'permit', shared: false })
      shell.step({ type: 'open', socket: shell.c.socket, wrongPhone: false })
      for (let i = 0; i < 3; i++) shell.timer(shell.nowMs, true, 0)
      const { state, attempt, refusals } = shell.c
      if (state.name !== 'open' || attempt !== 0 || refusals !== 0) throw new Error(`${state.name}, ${attempt} tries`)
    }),
    // Shrinking a hundred ends of a connection takes minutes: the first counterexample has to do.
    { numRuns: 200, endOnFailure: true },
  )
})

t.test('refusals alone set the session aside, after exactly as many as the operator allows', async (t) => {
  for (const most of [1, 3, 5]) {
    let c: Connection = NEW_CONNECTION
    let asides = 0
    let tries = 0
    const step = (event: ConnectionEvent): void => {
      const [next, effects] = stepConnection(c, event, tries * 60_000, { ...LIMITS, maxReconnectAttempts: most })
      c = next
      asides += effects.filter(({ type }) => type === 'set_aside').length
    }
    step({ type: 'begin', linked: true, pairing: false })
    while (asides === 0 && tries < 20) {
      tries++
      step({ type: 'timer', lastFrameMs: 0, linked: true, random: 0 })
      step({ type: 'permit', shared: false })
      step({ type: 'closed', socket: c.socket, cause: { from: 'login', code: 463 }, linked: true, random: 0 })
      if (c.state.name === 'idle') step({ type: 'set_aside_answer', allowed: true })
    }
    t.equal(tries, most)
    t.match(c.state, { name: 'idle', status: 'needs_qr', reason: 'bad_session' })
  }
})
