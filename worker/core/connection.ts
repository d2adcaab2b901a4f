import { backoffMs } from '../../shared/backoff.ts'
import type { ConnectionStatus, Reason } from '../../shared/states.ts'
import { verdictOn, type CloseCause, type Verdict } from './disconnect-policy.ts'
import { judgeLiveness, PROBE_DEADLINE_MS } from './liveness.ts'

/**
 * The connection of one account.
 *
 * | state   | invariant                                   | leaves on                                                 |
 * |---------|---------------------------------------------|-----------------------------------------------------------|
 * | idle    | no socket; waits for the operator           | pair -> queued                                            |
 * | waiting | no socket; `untilMs` is the next try        | timer, retry -> queued                                    |
 * | queued  | no socket; a permit was asked for           | permit -> opening; timer: asks again                      |
 * | opening | a socket, not logged in, deadline `untilMs` | qr -> pairing; open -> open; closed, timer -> by policy   |
 * | pairing | a socket that shows QR codes                | new_login -> opening; closed, timer -> by policy          |
 * | open    | logged in                                   | closed, a failed probe -> by policy                       |
 * | stopped | the end; nothing follows                    |                                                           |
 *
 * At most one socket at a time: `open_socket` comes only from `queued`, and every way out of a state with a socket
 * brings `tear_down` first. Sockets are numbered, and events of another than the current one are ignored. Every state
 * but idle and stopped has a deadline (`deadlineOf`). Times are monotonic milliseconds.
 */
export type ConnectionState =
  | { name: 'idle'; status: ConnectionStatus; reason: Reason; code: number | null }
  | {
      name: 'waiting'
      untilMs: number
      status: ConnectionStatus
      reason: Reason
      code: number | null
      onRetry: boolean
    }
  | { name: 'queued'; untilMs: number; reason: Reason; code: number | null }
  | { name: 'opening'; untilMs: number; reason: Reason; shared: boolean }
  | { name: 'pairing'; untilMs: number }
  | { name: 'open'; sinceMs: number; nextCheckMs: number; probeSentMs: number | null }
  | { name: 'stopped' }

export interface Connection {
  state: ConnectionState
  /** Number of the current or latest socket. */
  socket: number
  /** Tries since the last healthy minute; drives the backoff. */
  attempt: number
  /** Those of them that WhatsApp itself refused. */
  refusals: number
  /** When the first of them was; null when there is none. */
  firstRefusalMs: number | null
  /** Restarts that WhatsApp asked for since the last healthy minute. */
  restarts: number
  /** Sockets in a row that went silent. */
  staleInRow: number
  /** When another program last took this session over; null when that is long ago. */
  replacedMs: number | null
  /** The operator wants a QR code. */
  pairing: boolean
  /** A phone has scanned since this process began, and the login that follows is not over. */
  justPaired: boolean
}

export type ConnectionEvent =
  | { type: 'begin'; linked: boolean; pairing: boolean }
  /** `shared`: connects of several accounts fail, a refusal is no verdict on this one. */
  | { type: 'permit'; shared: boolean }
  /** The gate reopened: no need to wait out the backoff. */
  | { type: 'retry' }
  | { type: 'pair'; linked: boolean }
  | { type: 'qr'; socket: number; text: string; lifetimeMs: number }
  | { type: 'new_login'; socket: number }
  /** `wrongPhone`: it is another phone's WhatsApp than the account's. */
  | { type: 'open'; socket: number; wrongPhone: boolean }
  /** The operator wants this device unlinked. */
  | { type: 'log_out' }
  | { type: 'closed'; socket: number; cause: CloseCause; linked: boolean; random: number }
  | { type: 'timer'; lastFrameMs: number; linked: boolean; random: number }
  | { type: 'stop' }

export type ConnectionEffect =
  | { type: 'request_permit' }
  | { type: 'permit_result'; result: 'opened' | 'answered' | 'failed' | 'unused' }
  | { type: 'open_socket'; socket: number }
  | { type: 'tear_down'; socket: number }
  | { type: 'probe'; socket: number }
  /** Unlink this device at WhatsApp. */
  | { type: 'log_out'; socket: number }
  /** The text of the QR code to show, or null to show none. */
  | { type: 'show_qr'; text: string | null; lifetimeMs: number }
  | { type: 'set_aside'; reason: Reason }
  /** Go on in a fresh process. */
  | { type: 'renew_process' }

export interface ConnectionLimits {
  /** MAX_RECONNECT_ATTEMPTS: refusals of WhatsApp before the session is set aside. */
  maxReconnectAttempts: number
  /** And so long they must have gone on: a quarter of a minute is no verdict on a session. */
  refusalPeriodMs: number
  healthCheckIntervalMs: number
  staleConnectionThresholdMs: number
}

/** From the socket's begin to QR code or login; 812 prekeys of a first login take a loaded host some seconds. */
export const OPEN_DEADLINE_MS = 60_000
/** Past a QR code's own life: Baileys brings the next one, or says that there is none, by then. */
export const QR_GRACE_MS = 15_000
/** A turn at the gate may be long in coming while WhatsApp is down; asking again is free and keeps the place. */
const ASK_AGAIN_MS = 5 * 60_000
/** An open connection this old was healthy: what failed before is forgotten. */
export const HEALTHY_AFTER_MS = 60_000
/** Another program that takes the session twice within this time is fighting for it. */
export const REPLACED_MEMORY_MS = 10 * 60_000
const REPLACED_RETRY_MS = 60_000
const SLOW_RETRY_MS = 10 * 60_000
/** More restarts than this without a healthy minute are a loop, whatever the server calls it. A pairing needs one. */
const MAX_RESTARTS_AT_ONCE = 3

export const NEW_CONNECTION: Connection = {
  state: { name: 'idle', status: 'connecting', reason: 'starting', code: null },
  socket: 0,
  attempt: 0,
  refusals: 0,
  firstRefusalMs: null,
  restarts: 0,
  staleInRow: 0,
  replacedMs: null,
  pairing: false,
  justPaired: false,
}

/** When the shell shall send `timer`; undefined where only an event from outside leads on. */
export function deadlineOf(connection: Connection): number | undefined {
  const { state } = connection
  switch (state.name) {
    case 'waiting':
    case 'queued':
    case 'opening':
    case 'pairing':
      return state.untilMs
    case 'open': {
      const probeMs = state.probeSentMs === null ? state.nextCheckMs : state.probeSentMs + PROBE_DEADLINE_MS
      const healthyMs = state.sinceMs + HEALTHY_AFTER_MS
      return isClean(connection) ? probeMs : Math.min(probeMs, healthyMs)
    }
    case 'idle':
    case 'stopped':
      return undefined
    default:
      return state satisfies never
  }
}

/** What a healthy minute, or the operator's word, makes of the counts. */
const CLEAN = { attempt: 0, refusals: 0, firstRefusalMs: null, restarts: 0 } as const

function isClean(c: Connection): boolean {
  return c.attempt === 0 && c.refusals === 0 && c.restarts === 0
}

type Step = [Connection, ConnectionEffect[]]

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
      const socket = c.socket + 1
      const reason = c.attempt > 0 || c.state.reason !== 'starting' ? c.state.reason : 'opening'
      const { shared } = event
      const state: ConnectionState = { name: 'opening', untilMs: nowMs + OPEN_DEADLINE_MS, reason, shared }
      return [{ ...c, socket, state }, [{ type: 'open_socket', socket }]]
    }
    case 'retry':
      if (c.state.name !== 'waiting' || !c.state.onRetry) return [c, []]
      return queue(c, c.state.reason, c.state.code, nowMs)
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
      return [{ ...c, pairing: false, justPaired: true, state }, [hideQr]]
    }
    case 'open': {
      if (event.wrongPhone) return refuseWrongPhone(c)
      const nextCheckMs = nowMs + limits.healthCheckIntervalMs
      const state: ConnectionState = { name: 'open', sinceMs: nowMs, nextCheckMs, probeSentMs: null }
      return [{ ...c, pairing: false, justPaired: false, state }, [{ type: 'permit_result', result: 'opened' }, hideQr]]
    }
    case 'log_out':
      if (c.state.name !== 'open') return [c, []]
      return unlink(c, 'logged_out', [])
    case 'closed':
      return closed(c, event.cause, event.linked, event.random, nowMs, limits)
    case 'timer':
      return timer(c, event, nowMs, limits)
    case 'stop':
      return [
        { ...c, state: { name: 'stopped' } },
        hasSocket(c.state) ? [hideQr, { type: 'tear_down', socket: c.socket }] : [],
      ]
    default:
      return event satisfies never
  }
}

const hideQr: ConnectionEffect = { type: 'show_qr', text: null, lifetimeMs: 0 }

/** Before `begin`: the session is not open yet. */
function isNew(c: Connection): boolean {
  return c.state === NEW_CONNECTION.state
}

function hasSocket(state: ConnectionState): boolean {
  return state.name === 'opening' || state.name === 'pairing' || state.name === 'open'
}

function queue(
  c: Connection,
  reason: Reason,
  code: number | null,
  nowMs: number,
  before: ConnectionEffect[] = [],
): Step {
  const state: ConnectionState = { name: 'queued', untilMs: nowMs + ASK_AGAIN_MS, reason, code }
  return [{ ...c, state }, [...before, { type: 'request_permit' }]]
}

/** The operator wants a QR code. */
function pair(c: Connection, linked: boolean, nowMs: number): Step {
  const { state } = c
  const fresh = { ...c, ...CLEAN, pairing: true }
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

function unlink(c: Connection, reason: Reason, before: ConnectionEffect[]): Step {
  const { socket } = c
  return [
    { ...c, pairing: false, justPaired: false, state: { name: 'idle', status: 'needs_qr', reason, code: null } },
    [...before, { type: 'log_out', socket }, { type: 'tear_down', socket }, { type: 'set_aside', reason }],
  ]
}

function timer(
  c: Connection,
  event: { lastFrameMs: number; linked: boolean; random: number },
  nowMs: number,
  limits: ConnectionLimits,
): Step {
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
      const known = healthy ? { ...c, ...CLEAN, staleInRow } : c
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
  event: { lastFrameMs: number; linked: boolean; random: number },
  nowMs: number,
  limits: ConnectionLimits,
): Step {
  if (state.probeSentMs === null && nowMs < state.nextCheckMs) return [c, []]
  const verdict = judgeLiveness({
    nowMs,
    lastFrameMs: event.lastFrameMs,
    probeSentMs: state.probeSentMs,
    staleAfterMs: limits.staleConnectionThresholdMs,
  })
  const nextCheckMs = nowMs + limits.healthCheckIntervalMs
  switch (verdict) {
    case 'alive':
      return [{ ...c, state: { ...state, nextCheckMs, probeSentMs: null } }, []]
    case 'wait':
      return [c, []]
    case 'probe':
      return [{ ...c, state: { ...state, nextCheckMs, probeSentMs: nowMs } }, [{ type: 'probe', socket: c.socket }]]
    case 'dead':
      return closed(c, { from: 'stale', code: null }, event.linked, event.random, nowMs, limits)
    default:
      return verdict satisfies never
  }
}

function closed(
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
  const idle = (status: ConnectionStatus, reason: Reason, more: ConnectionEffect[] = []): Step => [
    { ...c, ...CLEAN, state: { name: 'idle', status, reason, code: cause.code } },
    [...before, ...more],
  ]
  const later = (next: Connection, delayMs: number, onRetry: boolean): Step => [
    { ...next, state: waiting(nowMs + delayMs, verdict, cause.code, onRetry) },
    before,
  ]
  const attempt = c.attempt + 1
  switch (verdict.follows) {
    case 'at_once': {
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
        return idle('needs_qr', 'bad_session', [{ type: 'set_aside', reason: 'bad_session' }])
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
      return idle(verdict.status, verdict.reason, [{ type: 'set_aside', reason: verdict.reason }])
    default:
      return verdict.follows satisfies never
  }
}

function waiting(untilMs: number, verdict: Verdict, code: number | null, onRetry: boolean): ConnectionState {
  // A restart or a stale socket that has to wait after all is not on its way up.
  const status = verdict.status === 'connecting' ? 'disconnected' : verdict.status
  return { name: 'waiting', untilMs, status, reason: verdict.reason, code, onRetry }
}
