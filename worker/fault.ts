import { EXIT } from '../shared/exit-codes.ts'
import { SessionError } from '../shared/session/session-error.ts'
import type { Reason } from '../shared/states.ts'

/** How a process ends by this fault: its exit code, and the reason that the account shows. */
export function endOf(error: unknown): [number, Reason] {
  switch (error instanceof SessionError ? error.code : undefined) {
    case 'session_damaged':
    case 'session_version':
    case 'session_conflict':
    case 'recovery_refused':
      return [EXIT.sessionDamaged.code, 'session_damaged']
    case 'session_locked':
      return [EXIT.sessionLocked.code, 'session_locked']
    case 'storage_full':
      return [EXIT.storageFailed.code, 'storage_full']
    case 'storage_failed':
      return [EXIT.storageFailed.code, 'storage_failed']
    default:
      return [EXIT.crashed.code, 'worker_crashed']
  }
}

/** The process that holds the session's directory, as its lock says. */
export function holderOf(error: unknown): number | null {
  const pid = error instanceof SessionError ? error.details['holderPid'] : undefined
  return typeof pid === 'number' && Number.isSafeInteger(pid) ? pid : null
}

/** What a rejection was, without what it says: its text may quote anything. */
export function nameOf(reason: unknown): string {
  return reason instanceof Error ? reason.name : typeof reason
}
