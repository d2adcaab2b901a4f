import fc from 'fast-check'
import t from 'tap'
import {
  grantPermits,
  newGate,
  requestPermit,
  settlePermit,
  withdrawPermit,
  type GateLimits,
  type PermitResult,
} from '../../../../supervisor/core/connect-gate.ts'

type Op = { op: 'request' | 'first login' | 'withdraw' | PermitResult | 'pass'; id: number; ms: number }
const op: fc.Arbitrary<Op> = fc.record({
  op: fc.constantFrom<Op['op']>(
    'request',
    'request',
    'first login',
    'first login',
    'withdraw',
    'opened',
    'answered',
    'failed',
    'failed',
    'pass',
  ),
  id: fc.nat({ max: 14 }),
  ms: fc.nat({ max: 3000 }),
})
const anyLimits: fc.Arbitrary<GateLimits> = fc.record({
  minPerSecond: fc.constantFrom(0.5, 1, 2),
  maxPerSecond: fc.constantFrom(2, 5, 20),
  maxInFlight: fc.integer({ min: 1, max: 10 }),
  maxFirstLogins: fc.integer({ min: 1, max: 3 }),
  firstLoginSettleMs: fc.constantFrom(500, 2000),
  closeAfter: fc.integer({ min: 1, max: 5 }),
  probeGapFirstMs: fc.constantFrom(500, 1000),
  probeGapCapMs: fc.constantFrom(4000, 8000),
  patienceMs: fc.constantFrom(1000, 5000),
  overtakenMs: fc.constantFrom(5000, 10_000),
  permitExpiryMs: fc.constantFrom(5000, 90_000),
})

t.test(
  'whatever happens: never above the rate, first come first served, closed means one, nobody is forgotten',
  async () => {
    fc.assert(
      fc.property(anyLimits, fc.array(op, { maxLength: 150, size: 'max' }), (limits, ops) => {
        let gate = newGate(limits)
        let nowMs = 0
        const grants: number[] = []
        const pump = (): void => {
          const before = gate
          const { gate: after, granted, abandoned, nextMs } = grantPermits(gate, nowMs, limits)
          gate = after
          for (const id of abandoned) {
            const grantedMs = before.inFlight.get(id) ?? before.overdue.get(id) ?? Number.NaN
            const again = before.restarted.has(id) && grantedMs >= before.reopenedMs
            if (
              again ||
              !(grantedMs < before.provenMs || grantedMs < before.reopenedMs) ||
              nowMs - grantedMs < limits.patienceMs
            )
              throw new Error('abandoned too soon')
          }
          for (const id of granted) {
            grants.push(nowMs)
            if (gate.inFlight.get(id) !== nowMs) throw new Error('a grant without a permit')
          }
          const isFree = [...before.settling.values()].filter((ms) => nowMs < ms).length < limits.maxFirstLogins
          const next = before.queue.find((id) => isFree || !before.firstLogins.has(id))
          if (granted.some((id) => id !== next)) throw new Error(`${granted.join()} of ${before.queue.join()}`)
          if (gate.settling.size > limits.maxFirstLogins) throw new Error('too many first logins')
          if ([...gate.firstLogins].some((id) => !gate.queue.includes(id))) throw new Error('waits and does not wait')
          const least = 1000 / limits.maxPerSecond
          const [last, previous] = [grants.at(-1), grants.at(-2)]
          if (
            granted.length > 1 ||
            (granted.length === 1 && last !== undefined && previous !== undefined && last - previous < least - 1e-6)
          ) {
            throw new Error('faster than the rate')
          }
          if (gate.inFlight.size > limits.maxInFlight) throw new Error('too many unanswered')
          if (granted.length > 0 && gate.probes !== undefined && gate.inFlight.size > 1) throw new Error('two probes')
          if (gate.ratePerSecond < limits.minPerSecond || gate.ratePerSecond > limits.maxPerSecond) {
            throw new Error(`a rate of ${gate.ratePerSecond}`)
          }
          if (gate.queue.length > 0 && (nextMs === undefined || nextMs <= nowMs))
            throw new Error(`queued until ${nextMs}`)
          if (gate.queue.some((id) => gate.inFlight.has(id) || gate.overdue.has(id))) {
            throw new Error('in the queue and under way')
          }
          if ([...gate.overdue.keys()].some((id) => gate.inFlight.has(id))) throw new Error('under way twice')
          if ([...gate.inFlight.values()].some((ms) => nowMs - ms >= limits.patienceMs))
            throw new Error('more than patient')
          if (gate.inFlight.size > 0 && (nextMs === undefined || nextMs <= nowMs))
            throw new Error(`judged at ${nextMs}`)
          if (new Set(gate.queue).size !== gate.queue.length) throw new Error('twice in the queue')
        }
        for (const { op, id, ms } of ops) {
          const account = `a${id}`
          if (op === 'pass') nowMs += ms
          else if (op === 'request') gate = requestPermit(gate, account)
          else if (op === 'first login') gate = requestPermit(gate, account, true)
          else if (op === 'withdraw') gate = withdrawPermit(gate, account)
          else {
            const closed = gate.probes !== undefined
            const { gate: after, reopened } = settlePermit(gate, account, op, nowMs, limits)
            if (reopened && !(closed && after.probes === undefined)) throw new Error('reopened what was open')
            gate = after
          }
          pump()
        }
        // Everybody in the queue gets a turn within the time that the limits allow, if each is answered at once.
        let left = gate.queue.length
        const untilMs = nowMs + limits.patienceMs + left * limits.probeGapCapMs + limits.firstLoginSettleMs
        for (; left > 0 && nowMs < untilMs; nowMs += 100) {
          const { gate: after, granted } = grantPermits(gate, nowMs, limits)
          gate = after
          for (const id of granted) gate = settlePermit(gate, id, 'failed', nowMs, limits).gate
          left = gate.queue.length
        }
        if (left > 0) throw new Error(`${left} never had a turn`)
      }),
      { numRuns: 300 },
    )
  },
)
