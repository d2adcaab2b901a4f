import type { ConnectionReport } from '../../shared/states.ts'
import { type Connection } from './connection-state.ts'

/** What the supervisor is told. Waiting for a permit after a failure is no progress: it shows as disconnected. */
export function reportOf(connection: Connection, nowMs: number, epochMs: number): ConnectionReport {
  const { state, attempt } = connection
  const base = { code: null, attempt, nextTryAtMs: null }
  switch (state.name) {
    case 'idle':
      return { ...base, status: state.status, reason: state.reason, code: state.code }
    case 'waiting':
      return {
        ...base,
        status: state.status,
        reason: state.reason,
        code: state.code,
        nextTryAtMs: Math.round(epochMs + state.untilMs - nowMs),
      }
    case 'queued':
      return { ...base, status: attempt > 0 ? 'disconnected' : 'connecting', reason: state.reason, code: state.code }
    case 'opening':
      return { ...base, status: 'connecting', reason: state.reason }
    case 'pairing':
      return { ...base, status: 'needs_qr', reason: 'pairing' }
    case 'open':
      return { ...base, status: 'connected', reason: null }
    case 'stopped':
      return { ...base, status: 'disconnected', reason: 'stopped' }
    default:
      return state satisfies never
  }
}
