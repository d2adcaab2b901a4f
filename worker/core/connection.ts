import { closed } from './after-close.ts'
import {
  CLEAN,
  deadlineOf,
  hasSocket,
  HEALTHY_AFTER_MS,
  hideQr,
  NEW_CONNECTION,
  OPEN_DEADLINE_MS,
  QR_GRACE_MS,
  queue,
  SLOW_RETRY_MS,
  type Connection,
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionLimits,
  type ConnectionState,
  type Step,
  type TimerEvent,
} from './connection-state.ts'
import { judgeLiveness } from './liveness.ts'
import type { Reason } from '../../shared/states.ts'

/** One event: the connection as it is afterwards, and what the shell shall do, in order. */
export function stepConnection(c: Connection, event: ConnectionEvent, nowMs: number, limits: ConnectionLimits): Step {
  if (c.state.name === 'stopped') return [c, []]
  if ('socket' in event && (event.socket !== c.socket || !hasSocket(c.state))) return [c, []]
  switch (event.type) {
    case 'begin': {
      if (!isNew(c)) return [c, []]
      const pairing = event.pairing || c.pairing
      if (event.linked || pairing) return queue({ ...c, pairing }, 'starting', null, nowMs)
      return [{ ...c, state: { name: 'idle', status: 'needs_qr', reason: 'not_linked', code: null } }, []]
    }
    case 'permit': {
      if (c.state.name !== 'queued') return [c, [{ type: 'permit_result', result: 'unused' }]]
      if (c.socket >= limits.renewAfterSockets && !c.pairing) return renew(c)
      const socket = c.socket + 1
      const reason = c.attempt > 0 || c.state.reason !== 'starting' ? c.state.reason : 'opening'
      const { shared } = event
      const state: ConnectionState = { name: 'opening', untilMs: nowMs + OPEN_DEADLINE_MS, reason, shared }
      return [{ ...c, socket, state }, [{ type: 'open_socket', socket }]]
    }
    case 'retry':
      if (c.state.name !== 'waiting' || !c.state.onRetry) return [c, []]
      return queue(c, c.state.reason, c.state.code, nowMs)
    case 'abandon': {
      if (c.state.name !== 'opening') return [c, []]
      const before: ConnectionEffect[] = [
        { type: 'tear_down', socket: c.socket },
        { type: 'permit_result', result: 'failed' },
      ]
      return queue({ ...c, attempt: c.attempt + 1 }, 'connect_timeout', null, nowMs, before)
    }
    case 'pair':
      // Whether the account is linked is not known before the session is open: `begin` takes the wish up.
      if (isNew(c)) return [{ ...c, pairing: true }, []]
      return pair(c, event.linked, nowMs)
    case 'qr': {
      const state: ConnectionState = { name: 'pairing', untilMs: nowMs + event.lifetimeMs + QR_GRACE_MS }
      const show: ConnectionEffect = { type: 'show_qr', text: event.text, lifetimeMs: event.lifetimeMs }
      if (c.state.name === 'pairing') return [{ ...c, state }, [show]]
      return [{ ...c, state }, [{ type: 'permit_result', result: 'opened' }, show]]
    }
    case 'new_login': {
      const untilMs = nowMs + OPEN_DEADLINE_MS
      const state: ConnectionState = { name: 'opening', untilMs, reason: 'restart_required', shared: false }
      return [{ ...c, pairing: false, justPaired: true, linkedHere: true, state }, [hideQr]]
    }
    case 'open': {
      if (event.wrongPhone) return refuseWrongPhone(c)
      const nextCheckMs = nowMs + limits.healthCheckIntervalMs
      const state: ConnectionState = { name: 'open', sinceMs: nowMs, nextCheckMs, probeSentMs: null }
      return [
        { ...c, pairing: false, justPaired: false, linkedHere: c.justPaired, keepsRefused: false, state },
        [{ type: 'permit_result', result: 'opened' }, hideQr],
      ]
    }
    case 'passkey_required': {
      if (c.state.name === 'open') return [c, []]
      const permit: ConnectionEffect[] =
        c.state.name === 'opening' ? [{ type: 'permit_result', result: 'answered' }] : []
      const state: ConnectionState = { name: 'idle', status: 'needs_qr', reason: 'passkey_required', code: null }
      return [{ ...c, ...CLEAN, pairing: false, state }, [hideQr, { type: 'tear_down', socket: c.socket }, ...permit]]
    }
    case 'number_taken':
      return refuseTakenNumber(c)
    case 'set_aside_answer':
      return answered(c, event.allowed, nowMs)
    case 'version_changed':
      if (c.state.name !== 'waiting' || c.state.reason !== 'client_outdated') return [c, []]
      return queue(c, c.state.reason, c.state.code, nowMs)
    case 'retire':
      return retire(c)
    case 'log_out':
      if (c.state.name !== 'open') return [c, []]
      return unlink(c, 'logged_out', [])
    case 'closed':
      return closed(c, event.cause, event.linked, event.random, nowMs, limits)
    case 'timer':
      return timer(c, event, nowMs, limits)
    default:
      return event satisfies never
  }
}

/** The moment before a socket opens is a quiet one: nothing is lost, and the next process asks for a permit of its own. */
function renew(c: Connection): Step {
  return [
    { ...c, state: { name: 'stopped' } },
    [{ type: 'permit_result', result: 'unused' }, { type: 'renew_process' }],
  ]
}

/**
 * Only from where nothing is under way: a login or a pairing is let come to its end. And not from where the operator's word
 * is waited for: a fresh process would connect without it (after 440, a ban), or no longer know why it is down.
 */
function retire(c: Connection): Step {
  const { state } = c
  if (state.name !== 'open' && state.name !== 'waiting') return [c, []]
  const down: ConnectionEffect[] = hasSocket(state) ? [{ type: 'tear_down', socket: c.socket }] : []
  return [{ ...c, state: { name: 'stopped' } }, [...down, { type: 'renew_process' }]]
}

/** Before `begin`: the session is not open yet. */
function isNew(c: Connection): boolean {
  return c.state === NEW_CONNECTION.state
}

/** The operator wants a QR code. */
function pair(c: Connection, linked: boolean, nowMs: number): Step {
  const { state } = c
  const fresh = { ...c, ...CLEAN, pairing: true, keepsRefused: false }
  if (c.keepsRefused && 'reason' in state) {
    // The operator's word is worth more than any doubt about the refusal, and than another try that is under way.
    const aside: ConnectionEffect = { type: 'set_aside', reason: state.reason }
    // The permit that is asked for already is for the new pairing then.
    if (state.name === 'queued') return [{ ...fresh, state: { ...state, reason: 'starting', code: null } }, [aside]]
    if (state.name !== 'opening') return queue(fresh, 'starting', null, nowMs, [aside])
    const down: ConnectionEffect = { type: 'tear_down', socket: c.socket }
    return queue(fresh, 'starting', null, nowMs, [down, { type: 'permit_result', result: 'unused' }, aside])
  }
  if (state.name === 'idle' && state.status === 'needs_qr') {
    // The old session may still be on its way aside; the permit is asked for after that.
    return queue(fresh, 'starting', null, nowMs)
  }
  if (state.name === 'idle' && state.reason === 'wrong_phone') {
    return queue(fresh, 'starting', null, nowMs, [{ type: 'set_aside', reason: 'wrong_phone' }])
  }
  if (linked || (state.name !== 'idle' && state.name !== 'waiting')) return [{ ...c, pairing: !linked }, []]
  return queue(fresh, 'starting', null, nowMs)
}

/**
 * Somebody scanned with another phone than the account's: its link is taken back, since nobody asked for it. A session
 * that was there before is another matter: it may be wanted elsewhere, so it is neither used nor touched.
 */
function refuseWrongPhone(c: Connection): Step {
  const opened: ConnectionEffect = { type: 'permit_result', result: 'opened' }
  if (c.justPaired) return unlink(c, 'wrong_phone', [opened, hideQr])
  const state: ConnectionState = { name: 'idle', status: 'disconnected', reason: 'wrong_phone', code: null }
  return [{ ...c, state }, [opened, hideQr, { type: 'tear_down', socket: c.socket }]]
}

/** Two accounts of one number would fight for it, or bring each message twice: the one that was there first has it. */
function refuseTakenNumber(c: Connection): Step {
  if (c.state.name === 'open' && c.linkedHere) return unlink(c, 'number_taken', [])
  const down: ConnectionEffect[] = hasSocket(c.state) ? [hideQr, { type: 'tear_down', socket: c.socket }] : []
  const permit: ConnectionEffect[] = c.state.name === 'opening' ? [{ type: 'permit_result', result: 'unused' }] : []
  const state: ConnectionState = { name: 'idle', status: 'disconnected', reason: 'number_taken', code: null }
  return [{ ...c, pairing: false, justPaired: false, state }, [...down, ...permit]]
}

/** A refusal that many accounts share is tried again, slowly; one that is this account's own ends its session. */
function answered(c: Connection, allowed: boolean, nowMs: number): Step {
  const { state } = c
  if (!c.keepsRefused || state.name !== 'idle') return [c, []]
  if (allowed) return [{ ...c, keepsRefused: false }, [{ type: 'set_aside', reason: state.reason }]]
  const { status, reason, code } = state
  return [
    { ...c, state: { name: 'waiting', untilMs: nowMs + SLOW_RETRY_MS, status, reason, code, onRetry: false } },
    [],
  ]
}

function unlink(c: Connection, reason: Reason, before: ConnectionEffect[]): Step {
  const { socket } = c
  return [
    { ...c, pairing: false, justPaired: false, state: { name: 'idle', status: 'needs_qr', reason, code: null } },
    [...before, { type: 'log_out', socket }, { type: 'tear_down', socket }, { type: 'set_aside', reason }],
  ]
}

function timer(c: Connection, event: TimerEvent, nowMs: number, limits: ConnectionLimits): Step {
  const dueMs = deadlineOf(c)
  if (dueMs === undefined || nowMs < dueMs) return [c, []]
  const { state } = c
  switch (state.name) {
    case 'waiting':
    case 'queued':
      return queue(c, state.reason, state.code, nowMs)
    case 'opening':
    case 'pairing':
      return closed(c, { from: 'open_timeout', code: null }, event.linked, event.random, nowMs, limits)
    case 'open': {
      const healthy = nowMs - state.sinceMs >= HEALTHY_AFTER_MS
      // Silence is found after minutes, so only a frame shows that the socket was alive as well as old.
      const staleInRow = event.lastFrameMs - state.sinceMs >= HEALTHY_AFTER_MS ? 0 : c.staleInRow
      // Frames say nothing of hearing: only a message that was heard does.
      const deafInRow = (event.lastHeardMs ?? null) === null ? c.deafInRow : 0
      const known = healthy ? { ...c, ...CLEAN, staleInRow, deafInRow } : { ...c, deafInRow }
      return checkLiveness(known, state, event, nowMs, limits)
    }
    case 'idle':
    case 'stopped':
      return [c, []]
    default:
      return state satisfies never
  }
}

function checkLiveness(
  c: Connection,
  state: Extract<ConnectionState, { name: 'open' }>,
  event: TimerEvent,
  nowMs: number,
  limits: ConnectionLimits,
): Step {
  if (state.probeSentMs === null && nowMs < state.nextCheckMs) return [c, []]
  const verdict = judgeLiveness({
    nowMs,
    lastFrameMs: event.lastFrameMs,
    probeSentMs: state.probeSentMs,
    staleAfterMs: limits.staleConnectionThresholdMs,
    unheardSinceMs: event.unheardSinceMs ?? null,
  })
  const nextCheckMs = nowMs + limits.healthCheckIntervalMs
  switch (verdict) {
    case 'alive':
      return [{ ...c, state: { ...state, nextCheckMs, probeSentMs: null } }, []]
    case 'wait':
      return [{ ...c, state: { ...state, nextCheckMs } }, []]
    case 'probe':
      return [{ ...c, state: { ...state, nextCheckMs, probeSentMs: nowMs } }, [{ type: 'probe', socket: c.socket }]]
    case 'dead':
      return closed(c, { from: 'stale', code: null }, event.linked, event.random, nowMs, limits)
    case 'deaf':
      return closed(c, { from: 'deaf', code: null }, event.linked, event.random, nowMs, limits)
    default:
      return verdict satisfies never
  }
}
