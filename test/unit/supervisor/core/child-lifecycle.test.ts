import t from 'tap'
import { EXIT } from '../../../../shared/exit-codes.ts'
import {
  deadlineOf,
  NEW_CHILD,
  stepChild,
  type Child,
  type ChildEffect,
  type ChildEvent,
  type ChildLimits,
  type ChildState,
} from '../../../../supervisor/core/child-lifecycle.ts'

const LIMITS: ChildLimits = { startDeadlineMs: 60_000, heartbeatDeadlineMs: 30_000, stopDeadlineMs: 10_000 }
const GENERATION = 7

const child = (state: ChildState, failures = 0): Child => ({ state, generation: GENERATION, failures })
const crash = (generation = GENERATION): ChildEvent => ({
  type: 'exited',
  generation,
  code: EXIT.crashed.code,
  signal: null,
  outOfMemory: false,
  random: 0.5,
})
const ended = (code: number | null, signal: string | null = null): ChildEvent => ({
  type: 'exited',
  generation: GENERATION,
  code,
  signal,
  outOfMemory: false,
  random: 0.5,
})

const absent = child({ name: 'absent' })
const queued = child({ name: 'queued' })
const starting = child({ name: 'starting', sinceMs: 1000, killed: false })
const running = child({ name: 'running', sinceMs: 1000, heartbeatMs: 2000, killed: false })
const stopping = child({ name: 'stopping', sinceMs: 3000, forkedMs: 1000, killed: false, then: 'absent' })
const restarting = child({ name: 'stopping', sinceMs: 3000, forkedMs: 1000, killed: false, then: 'queued' })
const backingOff = child({ name: 'backing_off', untilMs: 9000, reason: 'worker_crashed' }, 3)
const givenUp = child({ name: 'given_up', reason: 'session_damaged' }, 1)
const ask: ChildEffect = { type: 'ask_to_stop', generation: GENERATION }
const enqueue: ChildEffect = { type: 'enqueue' }

const TABLE: [title: string, from: Child, event: ChildEvent, nowMs: number, to: Partial<Child>, ChildEffect[]][] = [
  ['absent, start', absent, { type: 'start' }, 5000, { state: { name: 'queued' } }, [enqueue]],
  ['absent, stop', absent, { type: 'stop' }, 5000, { state: { name: 'absent' } }, []],
  ['absent, restart', absent, { type: 'stop', again: true }, 5000, { state: { name: 'queued' } }, [enqueue]],
  ['absent, slot', absent, { type: 'slot' }, 5000, absent, []],
  ['queued, start', queued, { type: 'start' }, 5000, queued, []],
  ['queued, stop', queued, { type: 'stop' }, 5000, { state: { name: 'absent' } }, [{ type: 'dequeue' }]],
  ['queued, restart', queued, { type: 'stop', again: true }, 5000, queued, []],
  [
    'queued, slot',
    queued,
    { type: 'slot' },
    5000,
    { generation: 8, state: { name: 'starting', sinceMs: 5000, killed: false } },
    [{ type: 'spawn', generation: 8 }],
  ],
  ['starting, start', starting, { type: 'start' }, 5000, starting, []],
  ['starting, slot', starting, { type: 'slot' }, 5000, starting, []],
  [
    'starting, ready',
    starting,
    { type: 'ready', generation: GENERATION },
    5000,
    { state: { name: 'running', sinceMs: 1000, heartbeatMs: 5000, killed: false } },
    [],
  ],
  ['starting, heartbeat', starting, { type: 'heartbeat', generation: GENERATION }, 5000, starting, []],
  [
    'starting, stop',
    starting,
    { type: 'stop' },
    5000,
    { state: { name: 'stopping', sinceMs: 5000, forkedMs: 1000, killed: false, then: 'absent' } },
    [ask],
  ],
  ['starting, deadline too early', starting, { type: 'deadline', lateMs: 0 }, 60_999, starting, []],
  [
    'starting, deadline',
    starting,
    { type: 'deadline', lateMs: 0 },
    61_000,
    { state: { name: 'starting', sinceMs: 1000, killed: false, overdue: true } },
    [],
  ],
  [
    'starting, overdue and heard after all',
    child({ name: 'starting', sinceMs: 1000, killed: false, overdue: true }),
    { type: 'ready', generation: GENERATION },
    61_500,
    { state: { name: 'running', sinceMs: 1000, heartbeatMs: 61_500, killed: false } },
    [],
  ],
  [
    'starting, overdue and not heard',
    child({ name: 'starting', sinceMs: 1000, killed: false, overdue: true }),
    { type: 'deadline', lateMs: 0 },
    62_000,
    { state: { name: 'starting', sinceMs: 1000, killed: true, overdue: true } },
    [{ type: 'kill', generation: GENERATION, why: 'start_timeout' }],
  ],
  [
    'starting, deadline after a stall of our own',
    starting,
    { type: 'deadline', lateMs: 5001 },
    90_000,
    { state: { name: 'starting', sinceMs: 90_000, killed: false } },
    [],
  ],
  [
    'starting, crash',
    starting,
    crash(),
    2000,
    { failures: 1, state: { name: 'backing_off', untilMs: 3000, reason: 'worker_crashed' } },
    [],
  ],
  [
    'running, no memory',
    { ...running, failures: 5 },
    { type: 'exited', generation: GENERATION, code: null, signal: 'SIGKILL', outOfMemory: true, random: 0.5 },
    2000,
    { failures: 6, state: { name: 'backing_off', untilMs: 34_000, reason: 'out_of_memory' } },
    [],
  ],
  [
    'running, heartbeat',
    running,
    { type: 'heartbeat', generation: GENERATION },
    5000,
    { state: { name: 'running', sinceMs: 1000, heartbeatMs: 5000, killed: false } },
    [],
  ],
  ['running, start', running, { type: 'start' }, 5000, running, []],
  ['running, ready again', running, { type: 'ready', generation: GENERATION }, 5000, running, []],
  [
    'running, stop',
    running,
    { type: 'stop' },
    5000,
    { state: { name: 'stopping', sinceMs: 5000, forkedMs: 1000, killed: false, then: 'absent' } },
    [ask],
  ],
  [
    'running, restart',
    running,
    { type: 'stop', again: true },
    5000,
    { state: { name: 'stopping', sinceMs: 5000, forkedMs: 1000, killed: false, then: 'queued' } },
    [ask],
  ],
  ['running, deadline too early', running, { type: 'deadline', lateMs: 0 }, 31_999, running, []],
  [
    'running, no heartbeat, or one that is not read yet',
    running,
    { type: 'deadline', lateMs: 5000 },
    37_000,
    { state: { name: 'running', sinceMs: 1000, heartbeatMs: 2000, killed: false, overdue: true } },
    [],
  ],
  [
    'running, overdue, heartbeat',
    child({ name: 'running', sinceMs: 1000, heartbeatMs: 2000, killed: false, overdue: true }),
    { type: 'heartbeat', generation: GENERATION },
    37_001,
    { state: { name: 'running', sinceMs: 1000, heartbeatMs: 37_001, killed: false } },
    [],
  ],
  [
    'running, overdue, deadline too early',
    child({ name: 'running', sinceMs: 1000, heartbeatMs: 2000, killed: false, overdue: true }),
    { type: 'deadline', lateMs: 0 },
    32_999,
    child({ name: 'running', sinceMs: 1000, heartbeatMs: 2000, killed: false, overdue: true }),
    [],
  ],
  [
    'running, overdue, no heartbeat',
    child({ name: 'running', sinceMs: 1000, heartbeatMs: 2000, killed: false, overdue: true }),
    { type: 'deadline', lateMs: 5000 },
    38_000,
    { state: { name: 'running', sinceMs: 1000, heartbeatMs: 2000, killed: true, overdue: true } },
    [{ type: 'kill', generation: GENERATION, why: 'hung' }],
  ],
  [
    'running, no heartbeat, but we stood still ourselves',
    running,
    { type: 'deadline', lateMs: 5001 },
    37_001,
    { state: { name: 'running', sinceMs: 1000, heartbeatMs: 37_001, killed: false } },
    [],
  ],
  [
    'running, asks for a fresh process',
    { ...running, failures: 4 },
    ended(EXIT.renew.code),
    5000,
    { failures: 0, state: { name: 'queued' } },
    [enqueue],
  ],
  [
    'running, damaged session',
    running,
    ended(EXIT.sessionDamaged.code),
    5000,
    { failures: 1, state: { name: 'given_up', reason: 'session_damaged' } },
    [],
  ],
  [
    'running, killed from outside',
    running,
    ended(null, 'SIGKILL'),
    5000,
    { failures: 1, state: { name: 'backing_off', untilMs: 6000, reason: 'worker_crashed' } },
    [],
  ],
  [
    'running, exits unasked with 0',
    running,
    ended(EXIT.ok.code),
    5000,
    { failures: 1, state: { name: 'backing_off', untilMs: 6000, reason: 'worker_crashed' } },
    [],
  ],
  [
    'running, the third crash in a row',
    { ...running, failures: 2 },
    crash(),
    5000,
    { failures: 3, state: { name: 'backing_off', untilMs: 9000, reason: 'worker_crashed' } },
    [],
  ],
  [
    'running, a crash after a healthy minute',
    { ...running, failures: 9 },
    crash(),
    61_000,
    { failures: 1, state: { name: 'backing_off', untilMs: 62_000, reason: 'worker_crashed' } },
    [],
  ],
  [
    'running and killed as hung',
    child({ name: 'running', sinceMs: 1000, heartbeatMs: 2000, killed: true }),
    ended(null, 'SIGKILL'),
    40_000,
    { failures: 1, state: { name: 'backing_off', untilMs: 41_000, reason: 'worker_hung' } },
    [],
  ],
  ['an older process exits', running, crash(GENERATION - 1), 5000, running, []],
  ['an older process is ready', starting, { type: 'ready', generation: GENERATION - 1 }, 5000, starting, []],
  ['an older process beats', running, { type: 'heartbeat', generation: GENERATION - 1 }, 5000, running, []],
  ['stopping, stop again', stopping, { type: 'stop' }, 5000, stopping, []],
  ['stopping, start', stopping, { type: 'start' }, 5000, restarting, []],
  ['stopping, restart', stopping, { type: 'stop', again: true }, 5000, restarting, []],
  ['restarting, stop for good', restarting, { type: 'stop' }, 5000, stopping, []],
  ['stopping, exited', stopping, ended(0), 5000, { state: { name: 'absent' } }, []],
  ['stopping, crashed on the way', stopping, crash(), 5000, { failures: 0, state: { name: 'absent' } }, []],
  ['restarting, exited', restarting, ended(0), 5000, { state: { name: 'queued' } }, [enqueue]],
  ['restarting, damaged session', restarting, ended(65), 5000, { state: { name: 'queued' } }, [enqueue]],
  ['stopping, deadline too early', stopping, { type: 'deadline', lateMs: 0 }, 12_999, stopping, []],
  [
    'stopping, deadline',
    stopping,
    { type: 'deadline', lateMs: 60_000 },
    13_000,
    { state: { name: 'stopping', sinceMs: 3000, forkedMs: 1000, killed: true, then: 'absent' } },
    [{ type: 'kill', generation: GENERATION, why: 'stop_timeout' }],
  ],
  [
    'backing off, deadline',
    backingOff,
    { type: 'deadline', lateMs: 0 },
    9000,
    { state: { name: 'queued' } },
    [enqueue],
  ],
  [
    'backing off, start by the operator forgets the failures',
    backingOff,
    { type: 'start' },
    5000,
    { failures: 0, state: { name: 'queued' } },
    [enqueue],
  ],
  ['backing off, stop', backingOff, { type: 'stop' }, 5000, { failures: 0, state: { name: 'absent' } }, []],
  [
    'backing off, restart',
    backingOff,
    { type: 'stop', again: true },
    5000,
    { failures: 0, state: { name: 'queued' } },
    [enqueue],
  ],
  ['given up, start', givenUp, { type: 'start' }, 5000, { failures: 0, state: { name: 'queued' } }, [enqueue]],
  ['given up, deadline', givenUp, { type: 'deadline', lateMs: 0 }, 5000, givenUp, []],
  ['given up, stop', givenUp, { type: 'stop' }, 5000, { failures: 0, state: { name: 'absent' } }, []],
]

for (const [title, from, event, nowMs, to, effects] of TABLE) {
  t.test(title, async (t) => {
    const [next, done] = stepChild(from, event, nowMs, LIMITS)
    t.strictSame(next, { ...from, ...to })
    t.strictSame(done, effects)
  })
}

t.test('each state with something to wait for has its deadline', async (t) => {
  t.equal(deadlineOf(absent, LIMITS), undefined)
  t.equal(deadlineOf(queued, LIMITS), undefined)
  t.equal(deadlineOf(givenUp, LIMITS), undefined)
  t.equal(deadlineOf(starting, LIMITS), 61_000)
  t.equal(deadlineOf(running, LIMITS), 32_000)
  t.equal(deadlineOf(stopping, LIMITS), 13_000)
  t.equal(deadlineOf(backingOff, LIMITS), 9000)
})

t.test('crashes back off for ever: 1, 2, 4, 8, 16, 30, 30 s', async (t) => {
  let current: Child = NEW_CHILD
  let nowMs = 0
  const step = (event: ChildEvent): ChildEffect[] => {
    const [next, effects] = stepChild(current, event, nowMs, LIMITS)
    current = next
    return effects
  }
  const waits: number[] = []
  step({ type: 'start' })
  for (let crashes = 0; crashes < 40; crashes++) {
    step({ type: 'slot' })
    nowMs += 500
    step({ ...crash(current.generation) })
    const untilMs = deadlineOf(current, LIMITS)
    if (current.state.name !== 'backing_off' || untilMs === undefined) return void t.fail('gave up', current)
    waits.push(untilMs - nowMs)
    nowMs = untilMs
    t.strictSame(step({ type: 'deadline', lateMs: 0 }), [{ type: 'enqueue' }])
  }
  t.strictSame(waits.slice(0, 7), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  t.ok(waits.slice(5).every((wait) => wait === 30_000))
})
