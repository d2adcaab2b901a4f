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
const asked = (ids: readonly string[], limits = LIMITS): Gate =>
  ids.reduce((gate, id) => requestPermit(gate, id), newGate(limits))
const grant = (gate: Gate, nowMs: number, limits = LIMITS) => grantPermits(gate, nowMs, limits)
const settle = (gate: Gate, id: string, result: PermitResult, nowMs = 0) =>
  settlePermit(gate, id, result, nowMs, LIMITS)

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
  t.equal(second.nextMs, 1000 + LIMITS.patienceMs, 'nobody waits: the first permit is judged next')
  const answered = settle(settle(second.gate, 'a', 'opened').gate, 'b', 'opened').gate
  t.equal(grant(answered, 1300).nextMs, undefined, 'nothing is under way')
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
  for (let nowMs = 0; nowMs < 4000; nowMs += 200) {
    const result = grant(gate, nowMs)
    gate = result.gate
    granted += result.granted.length
  }
  t.equal(granted, LIMITS.maxInFlight)
  t.equal(grant(gate, 4000).nextMs, LIMITS.patienceMs, 'the first permit is judged next')
  gate = settle(gate, 'a3', 'opened').gate
  t.strictSame(grant(gate, 4000).granted, ['a10'])
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

t.test('closed: one probe at a time, in turns, 1, 2, 4, 5, 5 s apart', async (t) => {
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
    ['c', 14_000],
    ['d', 19_000],
    ['a', 24_000],
    ['b', 29_000],
    ['c', 34_000],
    ['d', 39_000],
  ])
})

t.test('closed: a probe that hangs holds the next one up for the time of its patience, and no longer', async (t) => {
  const gate = closedGate(['a', 'b', 'c', 'd'])
  const probe = grant(gate, 3000)
  t.strictSame(probe.granted, ['d'])
  t.equal(probe.nextMs, 3000 + LIMITS.patienceMs)
  t.strictSame(grant(probe.gate, 7999).granted, [])
  const second = grant(probe.gate, 8000)
  t.strictSame(second.granted, ['a'])
  t.strictSame([...second.gate.overdue], [['d', 3000]])
  t.equal(settle(second.gate, 'd', 'opened', 9000).reopened, true, 'its answer counts when it comes')
})

t.test('what hangs from before the gate reopened is abandoned, once, and is no failure', async (t) => {
  const { gate } = grant(grant(closedGate(['a', 'b', 'c', 'd']), 3000).gate, 8000)
  const { gate: open } = settle(grant(gate, 13_000).gate, 'b', 'opened', 13_100)
  // d and a are overdue; nothing else is under way.
  const first = grant(open, 13_100)
  t.strictSame(first.abandoned, ['d', 'a'])
  t.equal(first.gate.failing.size, 0)
  t.equal(first.gate.overdue.size, 0)
  t.strictSame(grant(first.gate, 13_200).abandoned, [])
  t.equal(settle(first.gate, 'd', 'failed').gate, first.gate, 'what it says after that is not asked for')
})

t.test('what is under way when the gate reopens has the rest of its patience', async (t) => {
  let gate = asked(['a', 'b', 'c', 'd', 'e'])
  for (const nowMs of [0, 200, 400, 600]) gate = grant(gate, nowMs).gate
  for (const id of ['a', 'b', 'c']) gate = settle(gate, id, 'failed', 700).gate
  t.equal(gate.probes, 0)
  // A fourth was begun before the gate closed, and a probe that follows it once it is overdue gets through.
  const probe = grant(gate, 5600)
  t.strictSame(probe.granted, ['e'])
  gate = requestPermit(settle(probe.gate, 'e', 'opened', 5700).gate, 'f')
  const after = grant(gate, 6200)
  t.strictSame([after.granted, after.abandoned], [['f'], ['d']])
  const late = grant(settle(after.gate, 'f', 'opened', 6300).gate, 20_000)
  t.strictSame([late.abandoned, late.nextMs], [[], undefined])
})

t.test('a failure of what was begun before the gate reopened says nothing about now', async (t) => {
  const { gate } = grant(closedGate(['a', 'b', 'c', 'd']), 3000)
  const second = grant(gate, 8000).gate
  const open = settle(second, 'd', 'opened', 9000).gate
  const after = settle(open, 'a', 'failed', 9100).gate
  t.equal(after.failing.size, 0)
  t.equal(after.ratePerSecond, open.ratePerSecond)
})

t.test('a success opens the gate at half of the highest rate, and says so once', async (t) => {
  const { gate } = grant(closedGate(['a', 'b', 'c', 'd']), 3000)
  const opened = settle(gate, 'd', 'opened')
  t.equal(opened.reopened, true)
  t.match(opened.gate, { probes: undefined, failing: new Set(), ratePerSecond: 2.5 })
  const next = grant(opened.gate, 4000)
  t.strictSame(next.granted, ['a'])
  t.equal(settle(next.gate, 'a', 'opened').reopened, false)
})

t.test('a refusal of one account opens a closed gate as well: WhatsApp is there', async (t) => {
  const { gate } = grant(closedGate(['a', 'b', 'c', 'd']), 3000)
  t.equal(settle(gate, 'd', 'answered').reopened, true)
})

t.test('permits that are not answered in time count as failures, once', async (t) => {
  let gate = asked(['a', 'b', 'c', 'd'])
  for (const nowMs of [0, 200, 400]) gate = grant(gate, nowMs).gate
  t.equal(gate.inFlight.size, 3)
  const late = grant(gate, 400 + LIMITS.patienceMs)
  t.equal(late.gate.failing.size, 3)
  t.strictSame(late.granted, ['d'], 'as a probe')
  t.equal(late.gate.probes, 1)
  const { gate: after } = settle(late.gate, 'a', 'failed')
  t.equal(after.ratePerSecond, late.gate.ratePerSecond)
  t.equal(after.overdue.size, 2)
  t.strictSame(
    [...grant(after, 400 + LIMITS.permitExpiryMs).gate.overdue.keys()],
    ['d'],
    'and are forgotten in the end',
  )
})

t.test('what others have overtaken begins anew, once between two answers', async (t) => {
  let gate = grant(asked(['a', 'b']), 0).gate
  gate = settle(grant(gate, 200).gate, 'b', 'opened', 400).gate
  const overdue = grant(gate, 5000)
  t.strictSame([overdue.abandoned, overdue.nextMs], [[], LIMITS.overtakenMs])
  const first = grant(overdue.gate, 10_000)
  t.strictSame(first.abandoned, ['a'])
  gate = grant(requestPermit(requestPermit(first.gate, 'a'), 'b'), 11_000).gate
  gate = settle(grant(gate, 12_000).gate, 'b', 'opened', 12_500).gate
  const second = grant(gate, 30_000)
  t.strictSame([second.abandoned, [...second.gate.overdue.keys()]], [[], ['a']], 'it may be slow')
  const answered = settle(second.gate, 'a', 'opened', 60_000).gate
  t.equal(answered.restarted.size, 0)
})

t.test('accounts that are slow take no place of the others', async (t) => {
  const slow = Array.from({ length: LIMITS.maxInFlight }, (_, i) => `slow${i}`)
  let gate = asked([...slow, 'a', 'b'])
  const granted: [string, number][] = []
  for (let nowMs = 0; nowMs < 20_000; nowMs += 100) {
    const result = grant(gate, nowMs)
    gate = result.gate
    for (const id of result.granted) {
      granted.push([id, nowMs])
      if (!slow.includes(id)) gate = settle(gate, id, 'opened', nowMs).gate
    }
  }
  t.strictSame(granted.slice(LIMITS.maxInFlight), [
    ['a', 5000],
    // Three more were found to be slow after a came up, and b went as a probe.
    ['b', 6800],
  ])
  t.equal(gate.probes, undefined)
})

t.test('first logins: two at a time until each has settled, and they hold up nobody else', async (t) => {
  let gate = newGate(LIMITS)
  for (const id of ['a', 'b', 'c', 'd']) gate = requestPermit(gate, id, true)
  gate = requestPermit(gate, 'connected before')
  const granted: [string, number][] = []
  for (let nowMs = 0; nowMs < 12_000; nowMs += 100) {
    const result = grant(gate, nowMs)
    gate = result.gate
    for (const id of result.granted) {
      granted.push([id, nowMs])
      // Of b nothing is heard.
      if (id !== 'b') gate = settle(gate, id, 'opened', nowMs).gate
    }
  }
  t.strictSame(granted, [
    ['a', 0],
    ['b', 200],
    ['connected before', 400],
    ['c', LIMITS.firstLoginSettleMs],
    ['d', 2 * LIMITS.firstLoginSettleMs],
  ])
  t.equal(gate.settling.size, 0)
})

t.test('the place of a first login that failed, or whose process is gone, is free at once', async (t) => {
  for (const end of [
    (gate: Gate) => settle(gate, 'a', 'failed').gate,
    (gate: Gate) => withdrawPermit(gate, 'a'),
    (gate: Gate) => requestPermit(gate, 'a'),
  ]) {
    let gate = newGate({ ...LIMITS, maxPerSecond: 1000 })
    for (const id of ['a', 'b', 'c']) gate = requestPermit(gate, id, true)
    gate = grant(grant(gate, 0).gate, 1).gate
    t.strictSame(gate.queue, ['c'])
    t.strictSame(grant(end(gate), 1000).granted, ['c'])
  }
})
