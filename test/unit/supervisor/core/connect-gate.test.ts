import fc from 'fast-check'
import t from 'tap'
import {
  GATE_LIMITS,
  grantPermits,
  newGate,
  requestPermit,
  settlePermit,
  withdrawPermit,
  type Gate,
  type GateLimits,
  type PermitResult,
} from '../../../../supervisor/core/connect-gate.ts'

const LIMITS: GateLimits = { ...GATE_LIMITS }

/** Asks in the given order. */
const asked = (ids: readonly string[], limits = LIMITS): Gate => ids.reduce(requestPermit, newGate(limits))
const grant = (gate: Gate, nowMs: number, limits = LIMITS) => grantPermits(gate, nowMs, limits)
const settle = (gate: Gate, id: string, result: PermitResult, limits = LIMITS) => settlePermit(gate, id, result, limits)

/** A gate that `closeAfter` failures have closed at 400 ms, with everybody in `ids` back in the queue. */
function closedGate(ids: readonly string[]): Gate {
  let gate = asked(ids)
  let nowMs = 0
  for (const id of ids.slice(0, LIMITS.closeAfter)) {
    // A failure halves the rate; a second is more than the longest gap.
    gate = grant(gate, nowMs).gate
    gate = requestPermit(settle(gate, id, 'failed').gate, id)
    nowMs += 1000
  }
  return gate
}

t.test('one who asks goes at once; the next one a fifth of a second later', async (t) => {
  const first = grant(asked(['a', 'b']), 1000)
  t.strictSame(first.granted, ['a'])
  t.equal(first.nextMs, 1200)
  t.strictSame(grant(first.gate, 1199).granted, [])
  const second = grant(first.gate, 1200)
  t.strictSame(second.granted, ['b'])
  t.equal(second.nextMs, undefined, 'nobody waits')
})

t.test('asking twice is asking once, and keeps the place', async (t) => {
  t.strictSame(requestPermit(asked(['a', 'b']), 'a').queue, ['a', 'b'])
})

t.test('asking again gives a held permit back, unjudged, and goes to the end', async (t) => {
  const { gate } = grant(asked(['a', 'b']), 0)
  const again = requestPermit(gate, 'a')
  t.strictSame(again.queue, ['b', 'a'])
  t.equal(again.inFlight.size, 0)
  t.equal(again.failing.size, 0)
})

t.test('withdrawing frees the turn and the permit', async (t) => {
  const { gate } = grant(asked(['a', 'b', 'c']), 0)
  t.strictSame(withdrawPermit(gate, 'b').queue, ['c'])
  t.equal(withdrawPermit(gate, 'a').inFlight.size, 0)
  t.strictSame(withdrawPermit(gate, 'z').queue, ['b', 'c'])
})

t.test('a result of somebody without a permit changes nothing', async (t) => {
  const gate = closedGate(['a', 'b', 'c'])
  const { gate: after, reopened } = settle(gate, 'a', 'opened')
  t.equal(after, gate)
  t.equal(reopened, false)
})

t.test('unanswered permits are limited; an answer makes room', async (t) => {
  const ids = Array.from({ length: 12 }, (_, i) => `a${i}`)
  let gate = asked(ids)
  let granted = 0
  for (let nowMs = 0; nowMs < 10_000; nowMs += 200) {
    const result = grant(gate, nowMs)
    gate = result.gate
    granted += result.granted.length
  }
  t.equal(granted, LIMITS.maxInFlight)
  t.equal(grant(gate, 10_000).nextMs, LIMITS.permitExpiryMs, 'the first permit runs out next')
  gate = settle(gate, 'a3', 'opened').gate
  t.strictSame(grant(gate, 10_000).granted, ['a10'])
})

t.test('the rate halves with a failure and grows by one with a success, between its bounds', async (t) => {
  const rates: number[] = []
  let gate = asked([])
  let nowMs = 0
  for (const result of ['failed', 'failed', 'opened', 'opened', 'answered', 'opened', 'opened', 'opened'] as const) {
    gate = grant(requestPermit(gate, 'a'), nowMs).gate
    gate = settle(gate, 'a', result).gate
    rates.push(gate.ratePerSecond)
    nowMs += 1000
  }
  t.strictSame(rates, [2.5, 1.25, 2.25, 3.25, 4.25, 5, 5, 5])
})

t.test('three failures in a row close the gate; an answer in between does not let them', async (t) => {
  t.equal(closedGate(['a', 'b', 'c']).probes, 0)
  let gate = asked(['a', 'b', 'c', 'd'])
  const results: PermitResult[] = ['failed', 'failed', 'answered', 'failed']
  results.forEach((result, i) => {
    gate = grant(gate, i * 1000).gate
    gate = settle(gate, 'abcd'.charAt(i), result).gate
  })
  t.equal(gate.probes, undefined)
  t.equal(gate.failing.size, 1)
})

t.test('closed: one probe at a time, in turns, 1, 2, 4, 4 s apart', async (t) => {
  let gate = closedGate(['a', 'b', 'c', 'd'])
  const probes: [string, number][] = []
  for (let nowMs = 2000; nowMs < 40_000; nowMs += 100) {
    const result = grant(gate, nowMs)
    gate = result.gate
    for (const id of result.granted) {
      probes.push([id, nowMs])
      gate = requestPermit(settle(gate, id, 'failed').gate, id)
    }
  }
  t.strictSame(probes, [
    ['d', 3000],
    ['a', 5000],
    ['b', 9000],
    ['c', 13_000],
    ['d', 17_000],
    ['a', 21_000],
    ['b', 25_000],
    ['c', 29_000],
    ['d', 33_000],
    ['a', 37_000],
  ])
})

t.test('closed: nobody follows while a probe is out, however long', async (t) => {
  const gate = closedGate(['a', 'b', 'c', 'd'])
  const probe = grant(gate, 3000)
  t.strictSame(probe.granted, ['d'])
  t.equal(probe.nextMs, 3000 + LIMITS.permitExpiryMs)
  t.strictSame(grant(probe.gate, 92_999).granted, [])
  t.strictSame(grant(probe.gate, 93_000).granted, ['a'], 'the probe was lost; the next one goes')
})

t.test('a success opens the gate at the lowest rate, and says so once', async (t) => {
  const { gate } = grant(closedGate(['a', 'b', 'c', 'd']), 3000)
  const opened = settle(gate, 'd', 'opened')
  t.equal(opened.reopened, true)
  t.match(opened.gate, { probes: undefined, failing: new Set(), ratePerSecond: LIMITS.minPerSecond })
  const next = grant(opened.gate, 4000)
  t.strictSame(next.granted, ['a'])
  t.equal(settle(next.gate, 'a', 'opened').reopened, false)
})

t.test('a refusal of one account opens a closed gate as well: WhatsApp is there', async (t) => {
  const { gate } = grant(closedGate(['a', 'b', 'c', 'd']), 3000)
  t.equal(settle(gate, 'd', 'answered').reopened, true)
})

t.test('permits that are never answered count as failures', async (t) => {
  let gate = asked(['a', 'b', 'c', 'd'])
  for (const nowMs of [0, 200, 400]) gate = grant(gate, nowMs).gate
  t.equal(gate.inFlight.size, 3)
  const late = grant(gate, 400 + LIMITS.permitExpiryMs)
  t.equal(late.gate.failing.size, 3)
  t.strictSame(late.granted, ['d'], 'as a probe')
  t.equal(late.gate.probes, 1)
})

type Op = { op: 'request' | 'withdraw' | PermitResult | 'pass'; id: number; ms: number }
const op: fc.Arbitrary<Op> = fc.record({
  op: fc.constantFrom<Op['op']>('request', 'request', 'withdraw', 'opened', 'answered', 'failed', 'failed', 'pass'),
  id: fc.nat({ max: 14 }),
  ms: fc.nat({ max: 3000 }),
})
const anyLimits: fc.Arbitrary<GateLimits> = fc.record({
  minPerSecond: fc.constantFrom(0.5, 1, 2),
  maxPerSecond: fc.constantFrom(2, 5, 20),
  maxInFlight: fc.integer({ min: 1, max: 10 }),
  closeAfter: fc.integer({ min: 1, max: 5 }),
  probeGapFirstMs: fc.constantFrom(500, 1000),
  probeGapCapMs: fc.constantFrom(4000, 8000),
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
          const { gate: after, granted, nextMs } = grantPermits(gate, nowMs, limits)
          gate = after
          for (const id of granted) {
            grants.push(nowMs)
            if (gate.inFlight.get(id) !== nowMs) throw new Error('a grant without a permit')
          }
          if (granted.some((id, i) => before.queue[i] !== id))
            throw new Error(`${granted.join()} of ${before.queue.join()}`)
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
          if (gate.queue.some((id) => gate.inFlight.has(id))) throw new Error('in the queue and under way')
          if (new Set(gate.queue).size !== gate.queue.length) throw new Error('twice in the queue')
        }
        for (const { op, id, ms } of ops) {
          const account = `a${id}`
          if (op === 'pass') nowMs += ms
          else if (op === 'request') gate = requestPermit(gate, account)
          else if (op === 'withdraw') gate = withdrawPermit(gate, account)
          else {
            const closed = gate.probes !== undefined
            const { gate: after, reopened } = settlePermit(gate, account, op, limits)
            if (reopened && !(closed && after.probes === undefined)) throw new Error('reopened what was open')
            gate = after
          }
          pump()
        }
        // Everybody in the queue gets a turn within the time that the limits allow, if each is answered at once.
        let left = gate.queue.length
        const untilMs = nowMs + limits.permitExpiryMs + left * limits.probeGapCapMs + 1000
        for (; left > 0 && nowMs < untilMs; nowMs += 100) {
          const { gate: after, granted } = grantPermits(gate, nowMs, limits)
          gate = after
          for (const id of granted) gate = settlePermit(gate, id, 'failed', limits).gate
          left = gate.queue.length
        }
        if (left > 0) throw new Error(`${left} never had a turn`)
      }),
      { numRuns: 300 },
    )
  },
)
