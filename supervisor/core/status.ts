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
  'wrong_phone',
  'passkey_required',
  'number_taken',
  'restore_failed',
])

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
    case 'given_up':
      return { ...withoutConnection(fault ?? child.reason), needsPerson: true }
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
        needsPerson:
          connection.reason !== null && NEEDS_PERSON.has(connection.reason) && connection.nextTryAtMs === null,
      }
    default:
      return child satisfies never
  }
}

function withoutConnection(reason: Reason, nextTryAtMs: number | null = null): PublicStatus {
  const status = reason === 'starting' || reason === 'restoring' ? 'connecting' : 'disconnected'
  return { status, reason, attempt: 0, nextTryAtMs, needsPerson: NEEDS_PERSON.has(reason) }
}
