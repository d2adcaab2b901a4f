import {
  TODOS,
  type ConnectionReport,
  type ConnectionStatus,
  type DesiredState,
  type Reason,
  type TodoAction,
} from '../../shared/states.ts'
import type { ChildState } from './child-lifecycle.ts'

/** What the API shows of an account: derived from the three states each time it is asked, stored nowhere. */
export interface PublicStatus {
  status: ConnectionStatus
  reason: Reason | null
  attempt: number
  /** Epoch ms. */
  nextTryAtMs: number | null
  /** What a person should do about it; null where there is nothing to do. */
  todo: { action: TodoAction; message: string } | null
  /** Nothing will change before that is done. */
  needsPerson: boolean
}

const LOOK_AND_RESTART = { action: 'restart', message: "Look into the account's log, then restart it." } as const

/** What this reason asks of a person while nothing is tried by itself. */
function todoOf(reason: Reason | null, nextTryAtMs: number | null): Pick<PublicStatus, 'todo' | 'needsPerson'> {
  const todo = reason === null ? undefined : TODOS[reason]
  if (todo === undefined) return { todo: null, needsPerson: false }
  const { action, message, isNeeded } = todo
  // Where a try is planned, what a person could do is worth saying; what they would have to do is not known yet, unless
  // the try can't change it.
  if (isNeeded && nextTryAtMs !== null && reason !== 'client_outdated') return { todo: null, needsPerson: false }
  return { todo: { action, message }, needsPerson: isNeeded && nextTryAtMs === null }
}

/**
 * @param connection the last report of the process that is alive now; null when it has said nothing yet
 * @param fault why the last process ended; null when none has, or when a report came since
 * @param epochOffsetMs epoch ms minus monotonic ms, to show the end of a backoff
 */
export function publicStatus(
  desired: DesiredState,
  child: ChildState,
  connection: ConnectionReport | null,
  fault: Reason | null,
  epochOffsetMs: number,
): PublicStatus {
  if (desired === 'removed') return withoutConnection('stopped')
  if (desired === 'paused') return withoutConnection('paused')
  switch (child.name) {
    case 'absent':
      // Nothing runs and something is said of it: the session is on its way from a backup.
      return withoutConnection(fault ?? 'stopped')
    case 'given_up': {
      // Whatever it was, nothing follows by itself.
      const status = withoutConnection(fault ?? child.reason)
      return { ...status, todo: status.todo ?? LOOK_AND_RESTART, needsPerson: true }
    }
    case 'backing_off':
      return withoutConnection(fault ?? child.reason, Math.round(child.untilMs + epochOffsetMs))
    case 'stopping':
    case 'queued':
    case 'starting':
      // A new process has to prove itself: until it reports, what ended the last one is what there is to say.
      return withoutConnection(fault ?? 'starting')
    case 'running':
      if (child.killed) return withoutConnection('worker_hung')
      if (connection === null) return withoutConnection(fault ?? 'starting')
      return {
        status: connection.status,
        reason: connection.reason,
        attempt: connection.attempt,
        nextTryAtMs: connection.nextTryAtMs,
        ...todoOf(connection.reason, connection.nextTryAtMs),
      }
    default:
      return child satisfies never
  }
}

function withoutConnection(reason: Reason, nextTryAtMs: number | null = null): PublicStatus {
  const status = reason === 'starting' || reason === 'restoring' ? 'connecting' : 'disconnected'
  return { status, reason, attempt: 0, nextTryAtMs, ...todoOf(reason, nextTryAtMs) }
}
