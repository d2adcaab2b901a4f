import type { ConnectionReport, ConnectionStatus, DesiredState, Reason } from '../../shared/states.ts'
import type { ChildState } from './child-lifecycle.ts'

/** What the API shows of an account: derived from the three states each time it is asked, stored nowhere. */
export interface PublicStatus {
  status: ConnectionStatus
  reason: Reason | null
  attempt: number
  /** Epoch ms. */
  nextTryAtMs: number | null
  /** Nothing will change before a person does something. */
  needsPerson: boolean
}

const NEEDS_PERSON: ReadonlySet<Reason> = new Set<Reason>([
  'not_linked',
  'pairing',
  'qr_expired',
  'logged_out',
  'bad_session',
  'replaced',
  'temporarily_banned',
  'forbidden',
  'banned',
  'client_outdated',
  'session_damaged',
])

/**
 * @param connection the last report of the process that is alive now; null when it has said nothing yet
 * @param fault why the last process ended by its own account; null when it did not say
 * @param clockOffsetMs epoch ms minus monotonic ms, to show the end of a backoff
 */
export function publicStatus(
  desired: DesiredState,
  child: ChildState,
  connection: ConnectionReport | null,
  fault: Reason | null,
  clockOffsetMs: number,
): PublicStatus {
  const down = (reason: Reason, nextTryAtMs: number | null = null): PublicStatus => ({
    status: 'disconnected',
    reason,
    attempt: 0,
    nextTryAtMs,
    needsPerson: NEEDS_PERSON.has(reason),
  })
  if (desired === 'removed') return down('stopped')
  switch (child.name) {
    case 'absent':
      return down('stopped')
    case 'given_up':
      return down(fault ?? child.reason)
    case 'backing_off':
      return down(fault ?? child.reason, child.untilMs + clockOffsetMs)
    case 'stopping':
    case 'queued':
    case 'starting':
      return { status: 'connecting', reason: 'starting', attempt: 0, nextTryAtMs: null, needsPerson: false }
    case 'running':
      if (child.killed) return down('worker_hung')
      if (connection === null) {
        return { status: 'connecting', reason: 'starting', attempt: 0, nextTryAtMs: null, needsPerson: false }
      }
      return {
        status: connection.status,
        reason: connection.reason,
        attempt: connection.attempt,
        nextTryAtMs: connection.nextTryAtMs,
        needsPerson:
          connection.reason !== null && NEEDS_PERSON.has(connection.reason) && connection.nextTryAtMs === null,
      }
    default:
      return child satisfies never
  }
}
