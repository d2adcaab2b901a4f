import type { Reason } from '../../shared/states.ts'
import { afterUnwantedExit } from './restart-policy.ts'

/**
 * The life of one account's worker process, as the supervisor sees it.
 *
 * | state      | invariant                                        | leaves on                                         |
 * |------------|--------------------------------------------------|---------------------------------------------------|
 * | absent     | no process, none wanted                          | start -> queued                                   |
 * | queued     | waits for a start slot                           | slot -> starting; stop -> absent                  |
 * | starting   | forked, `ready` not heard; holds a start slot    | ready -> running; exit; stop; deadline: kill      |
 * | running    | `ready` heard, heartbeats come                   | exit; stop; deadline without heartbeat: kill      |
 * | stopping   | asked to end                                     | exit -> absent or queued; deadline: kill          |
 * | backing_off| died, waits for `untilMs`                        | deadline, start -> queued; stop -> absent         |
 * | given_up   | died of something that would only repeat itself  | start -> queued; stop -> absent                   |
 *
 * Every process has a generation; what an older one still says is ignored, so a late exit can't change a newer process.
 * Every state with a process has a deadline (`deadlineOf`); the shell keeps one timer per account for it. A process that
 * has not been heard in time is `overdue`, and is killed when it is still not heard a moment later. Times are monotonic
 * milliseconds.
 */
export type ChildState =
  | { name: 'absent' }
  | { name: 'queued' }
  | { name: 'starting'; sinceMs: number; killed: boolean; overdue?: true }
  | { name: 'running'; sinceMs: number; heartbeatMs: number; killed: boolean; overdue?: true }
  | { name: 'stopping'; sinceMs: number; forkedMs: number; killed: boolean; then: 'absent' | 'queued' }
  | { name: 'backing_off'; untilMs: number; reason: Reason }
  | { name: 'given_up'; reason: Reason }

export type ChildStateName = ChildState['name']

export interface Child {
  state: ChildState
  /** Of the latest process; 0 before the first. */
  generation: number
  /** Crashes in a row. */
  failures: number
}

export const NEW_CHILD: Child = { state: { name: 'absent' }, generation: 0, failures: 0 }

export type ChildEvent =
  /** The account shall run. Where a process runs already, nothing happens. */
  | { type: 'start' }
  /** The account shall not run, or (`again`) in a new process. */
  | { type: 'stop'; again?: boolean }
  | { type: 'slot' }
  | { type: 'ready'; generation: number }
  | { type: 'heartbeat'; generation: number }
  | {
      type: 'exited'
      generation: number
      code: number | null
      signal: string | null
      /** The kernel ended it because memory ran out. */
      outOfMemory: boolean
      random: number
    }
  /** The timer of `deadlineOf` fired, `lateMs` after it was due. */
  | { type: 'deadline'; lateMs: number }

export type ChildEffect =
  | { type: 'enqueue' }
  | { type: 'dequeue' }
  | { type: 'spawn'; generation: number }
  | { type: 'ask_to_stop'; generation: number }
  | { type: 'kill'; generation: number; why: 'hung' | 'start_timeout' | 'stop_timeout' }

export interface ChildLimits {
  /** From fork to `ready`: module loading takes up to 0.6 s of CPU (without the bundle), and a boot may have hundreds in the queue of a busy host. */
  startDeadlineMs: number
  /** Without a heartbeat for this long, the event loop hangs. */
  heartbeatDeadlineMs: number
  /** From `stop` to SIGKILL. */
  stopDeadlineMs: number
}

/** A timer this late means that the supervisor itself stood still (a suspended VM): no verdict on the workers then. */
const OWN_STALL_MS = 5000

/**
 * From the deadline to the verdict. An event loop that stood still runs its timers before it reads its channels: what
 * the workers have said meanwhile is heard within this.
 */
const OVERDUE_GRACE_MS = 1000

/** When the shell shall send `deadline`; undefined for a state that waits for something else. */
export function deadlineOf(child: Child, limits: ChildLimits): number | undefined {
  const { state } = child
  switch (state.name) {
    case 'starting':
      return state.killed ? undefined : state.sinceMs + limits.startDeadlineMs + graceOf(state)
    case 'running':
      return state.killed ? undefined : state.heartbeatMs + limits.heartbeatDeadlineMs + graceOf(state)
    case 'stopping':
      return state.killed ? undefined : state.sinceMs + limits.stopDeadlineMs
    case 'backing_off':
      return state.untilMs
    case 'absent':
    case 'queued':
    case 'given_up':
      return undefined
    default:
      return state satisfies never
  }
}

function heard({ sinceMs }: { sinceMs: number }, nowMs: number): ChildState {
  return { name: 'running', sinceMs, heartbeatMs: nowMs, killed: false }
}

function graceOf({ overdue }: { overdue?: true }): number {
  return overdue === true ? OVERDUE_GRACE_MS : 0
}

/** One event: the child as it is afterwards, and what the shell shall do, in order. */
export function stepChild(child: Child, event: ChildEvent, nowMs: number, limits: ChildLimits): [Child, ChildEffect[]] {
  if ('generation' in event && event.generation !== child.generation) return [child, []]
  const { state } = child
  switch (event.type) {
    case 'start':
      return start(child)
    case 'stop':
      return stop(child, event.again === true, nowMs)
    case 'slot': {
      if (state.name !== 'queued') return [child, []]
      const generation = child.generation + 1
      return [
        { ...child, generation, state: { name: 'starting', sinceMs: nowMs, killed: false } },
        [{ type: 'spawn', generation }],
      ]
    }
    case 'ready':
      if (state.name !== 'starting' || state.killed) return [child, []]
      return [{ ...child, state: heard(state, nowMs) }, []]
    case 'heartbeat':
      if (state.name !== 'running' || state.killed) return [child, []]
      return [{ ...child, state: heard(state, nowMs) }, []]
    case 'exited':
      return exited(child, event, nowMs)
    case 'deadline':
      return deadline(child, event.lateMs, nowMs, limits)
    default:
      return event satisfies never
  }
}

function start(child: Child): [Child, ChildEffect[]] {
  const { state } = child
  switch (state.name) {
    case 'absent':
    case 'backing_off':
    case 'given_up':
      return [{ ...child, failures: 0, state: { name: 'queued' } }, [{ type: 'enqueue' }]]
    case 'stopping':
      return [{ ...child, state: { ...state, then: 'queued' } }, []]
    case 'queued':
    case 'starting':
    case 'running':
      return [child, []]
    default:
      return state satisfies never
  }
}

function stop(child: Child, again: boolean, nowMs: number): [Child, ChildEffect[]] {
  const { state } = child
  const then = again ? 'queued' : 'absent'
  switch (state.name) {
    case 'starting':
    case 'running':
      return [
        { ...child, state: { name: 'stopping', sinceMs: nowMs, forkedMs: state.sinceMs, killed: state.killed, then } },
        [{ type: 'ask_to_stop', generation: child.generation }],
      ]
    case 'stopping':
      return [{ ...child, state: { ...state, then } }, []]
    case 'queued':
      return again ? [child, []] : [{ ...child, state: { name: 'absent' } }, [{ type: 'dequeue' }]]
    case 'absent':
    case 'backing_off':
    case 'given_up':
      return again ? start(child) : [{ ...child, failures: 0, state: { name: 'absent' } }, []]
    default:
      return state satisfies never
  }
}

function exited(
  child: Child,
  exit: Omit<Extract<ChildEvent, { type: 'exited' }>, 'type' | 'generation'>,
  nowMs: number,
): [Child, ChildEffect[]] {
  const { state } = child
  switch (state.name) {
    case 'stopping': {
      if (state.then === 'absent') return [{ ...child, failures: 0, state: { name: 'absent' } }, []]
      return [{ ...child, failures: 0, state: { name: 'queued' } }, [{ type: 'enqueue' }]]
    }
    case 'starting':
    case 'running': {
      const after = afterUnwantedExit(
        { ...exit, hung: state.killed, uptimeMs: nowMs - state.sinceMs },
        child.failures,
        exit.random,
      )
      if (after.do === 'give_up') {
        return [{ ...child, failures: after.failures, state: { name: 'given_up', reason: after.reason } }, []]
      }
      if (after.delayMs === 0) {
        return [{ ...child, failures: after.failures, state: { name: 'queued' } }, [{ type: 'enqueue' }]]
      }
      const untilMs = nowMs + after.delayMs
      return [{ ...child, failures: after.failures, state: { name: 'backing_off', untilMs, reason: after.reason } }, []]
    }
    case 'absent':
    case 'queued':
    case 'backing_off':
    case 'given_up':
      return [child, []]
    default:
      return state satisfies never
  }
}

function deadline(child: Child, lateMs: number, nowMs: number, limits: ChildLimits): [Child, ChildEffect[]] {
  const { state, generation } = child
  if (state.name === 'backing_off') {
    // A start out of backoff keeps its count of failures: only a healthy minute or the operator clears it.
    return [{ ...child, state: { name: 'queued' } }, [{ type: 'enqueue' }]]
  }
  const dueMs = deadlineOf(child, limits)
  if (dueMs === undefined || nowMs < dueMs) return [child, []]
  switch (state.name) {
    case 'starting':
      if (lateMs > OWN_STALL_MS) return [{ ...child, state: { name: 'starting', sinceMs: nowMs, killed: false } }, []]
      if (state.overdue !== true) return [{ ...child, state: { ...state, overdue: true } }, []]
      return [{ ...child, state: { ...state, killed: true } }, [{ type: 'kill', generation, why: 'start_timeout' }]]
    case 'running':
      if (lateMs > OWN_STALL_MS) return [{ ...child, state: heard(state, nowMs) }, []]
      if (state.overdue !== true) return [{ ...child, state: { ...state, overdue: true } }, []]
      return [{ ...child, state: { ...state, killed: true } }, [{ type: 'kill', generation, why: 'hung' }]]
    case 'stopping':
      return [{ ...child, state: { ...state, killed: true } }, [{ type: 'kill', generation, why: 'stop_timeout' }]]
    case 'absent':
    case 'queued':
    case 'given_up':
      return [child, []]
    default:
      return state satisfies never
  }
}
