import { backoffMs } from '../../shared/backoff.ts'
import type { ConnectionStatus, Reason } from '../../shared/states.ts'
import {
  CLEAN,
  HEALTHY_AFTER_MS,
  hideQr,
  MAX_RESTARTS_AT_ONCE,
  queue,
  REPLACED_MEMORY_MS,
  REPLACED_RETRY_MS,
  SLOW_RETRY_MS,
  type Connection,
  type ConnectionEffect,
  type ConnectionLimits,
  type ConnectionState,
  type Step,
} from './connection-state.ts'
import { verdictOn, type CloseCause, type Verdict } from './disconnect-policy.ts'

/** A connection has ended: counts, delays and effects for what disconnect-policy.ts says. */
export function closed(
  c: Connection,
  cause: CloseCause,
  linked: boolean,
  random: number,
  nowMs: number,
  limits: ConnectionLimits,
): Step {
  const verdict = verdictOn(cause)
  const settled: ConnectionEffect[] =
    c.state.name === 'opening' ? [{ type: 'permit_result', result: verdict.gate }] : []
  const before: ConnectionEffect[] = [hideQr, { type: 'tear_down', socket: c.socket }, ...settled]
  const wasHealthy = c.state.name === 'open' && nowMs - c.state.sinceMs >= HEALTHY_AFTER_MS
  const staleInRow = cause.from === 'stale' ? c.staleInRow : 0
  const known = wasHealthy ? { ...c, ...CLEAN, staleInRow } : c
  if (!linked) return closedUnlinked(known, verdict, cause, random, nowMs, limits, before)
  return follow(known, verdict, cause, random, nowMs, limits, before)
}

/**
 * No session yet: nothing to lose, nothing to spend. What matters is that a QR code stays on the screen for as long as
 * the operator waits for one, and no longer.
 */
function closedUnlinked(
  c: Connection,
  verdict: Verdict,
  cause: CloseCause,
  random: number,
  nowMs: number,
  limits: ConnectionLimits,
  before: ConnectionEffect[],
): Step {
  if (verdict.follows === 'wait_for_operator' || verdict.follows === 'stop') {
    const { status, reason } = verdict
    return [{ ...c, pairing: false, state: { name: 'idle', status, reason, code: cause.code } }, before]
  }
  // A refused login without a linked account is a pairing that never finished: its half-made creds are worthless.
  const unfinished = verdict.follows === 'unlink'
  const anew: ConnectionEffect[] = unfinished ? [...before, { type: 'set_aside', reason: 'not_linked' }] : before
  const shown: Verdict = unfinished ? { ...verdict, reason: 'not_linked' } : verdict
  // Each of them made a new identity: a server that refuses them all is not asked for ever.
  const refusals = c.refusals + (unfinished ? 1 : 0)
  if (unfinished && refusals >= limits.maxReconnectAttempts) {
    const state: ConnectionState = { name: 'idle', status: 'needs_qr', reason: 'not_linked', code: cause.code }
    return [{ ...c, ...CLEAN, pairing: false, state }, anew]
  }
  const attempt = c.attempt + 1
  const untilMs = nowMs + (verdict.follows === 'slowly' ? SLOW_RETRY_MS : backoffMs(attempt, random))
  return [{ ...c, attempt, refusals, state: waiting(untilMs, shown, cause.code, true) }, anew]
}

function follow(
  c: Connection,
  verdict: Verdict,
  cause: CloseCause,
  random: number,
  nowMs: number,
  limits: ConnectionLimits,
  before: ConnectionEffect[],
): Step {
  const idle = (status: ConnectionStatus, reason: Reason): Step => [
    { ...c, ...CLEAN, state: { name: 'idle', status, reason, code: cause.code } },
    before,
  ]
  const refused = (status: ConnectionStatus, reason: Reason): Step => [
    { ...c, ...CLEAN, keepsRefused: true, state: { name: 'idle', status, reason, code: cause.code } },
    [...before, { type: 'ask_set_aside', reason }],
  ]
  const later = (next: Connection, delayMs: number, onRetry: boolean): Step => [
    { ...next, state: waiting(nowMs + delayMs, verdict, cause.code, onRetry) },
    before,
  ]
  const attempt = c.attempt + 1
  switch (verdict.follows) {
    case 'at_once': {
      if (verdict.reason === 'deaf') {
        const deafInRow = c.deafInRow + 1
        if (deafInRow >= 2) return [{ ...c, state: { name: 'stopped' } }, [...before, { type: 'renew_process' }]]
        return queue({ ...c, deafInRow }, verdict.reason, cause.code, nowMs, before)
      }
      if (verdict.reason === 'stale') {
        const staleInRow = c.staleInRow + 1
        if (staleInRow >= 2) return [{ ...c, state: { name: 'stopped' } }, [...before, { type: 'renew_process' }]]
        return queue({ ...c, staleInRow }, verdict.reason, cause.code, nowMs, before)
      }
      const restarts = c.restarts + 1
      if (restarts > MAX_RESTARTS_AT_ONCE) return later({ ...c, restarts, attempt }, backoffMs(attempt, random), true)
      return queue({ ...c, restarts }, verdict.reason, cause.code, nowMs, before)
    }
    case 'backoff':
      return later({ ...c, attempt }, backoffMs(attempt, random), true)
    case 'spend': {
      if (c.state.name === 'opening' && c.state.shared)
        return later({ ...c, attempt }, backoffMs(attempt, random), true)
      const refusals = c.refusals + 1
      const firstRefusalMs = c.firstRefusalMs ?? nowMs
      if (refusals >= limits.maxReconnectAttempts && nowMs - firstRefusalMs >= limits.refusalPeriodMs) {
        return refused('needs_qr', 'bad_session')
      }
      return later({ ...c, attempt, refusals, firstRefusalMs }, backoffMs(attempt, random), false)
    }
    case 'once_more': {
      const again = c.replacedMs !== null && nowMs - c.replacedMs < REPLACED_MEMORY_MS
      if (again) return idle(verdict.status, verdict.reason)
      return later({ ...c, attempt, replacedMs: nowMs }, REPLACED_RETRY_MS, false)
    }
    case 'slowly':
      return later({ ...c, attempt }, SLOW_RETRY_MS, true)
    case 'stop':
    case 'wait_for_operator':
      return idle(verdict.status, verdict.reason)
    case 'unlink':
      return refused(verdict.status, verdict.reason)
    default:
      return verdict.follows satisfies never
  }
}

function waiting(untilMs: number, verdict: Verdict, code: number | null, onRetry: boolean): ConnectionState {
  // A restart or a stale socket that has to wait after all is not on its way up.
  const status = verdict.status === 'connecting' ? 'disconnected' : verdict.status
  return { name: 'waiting', untilMs, status, reason: verdict.reason, code, onRetry }
}
