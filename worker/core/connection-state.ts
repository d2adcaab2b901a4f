import type { ConnectionStatus, Reason } from '../../shared/states.ts'
import type { CloseCause } from './disconnect-policy.ts'
import { PROBE_DEADLINE_MS } from './liveness.ts'

/**
 * The connection of one account.
 *
 * | state   | invariant                                   | leaves on                                                 |
 * |---------|---------------------------------------------|-----------------------------------------------------------|
 * | idle    | no socket; waits for the operator           | pair -> queued                                            |
 * | waiting | no socket; `untilMs` is the next try        | timer, retry -> queued                                    |
 * | queued  | no socket; a permit was asked for           | permit -> opening; timer: asks again                      |
 * | opening | a socket, not logged in, deadline `untilMs` | qr -> pairing; open -> open; abandon, pair (a refused session is tried again) -> queued; closed, timer -> by policy |
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
  /** Sockets that went deaf since a message was last heard. */
  deafInRow: number
  /** When another program last took this session over; null when that is long ago. */
  replacedMs: number | null
  /** The operator wants a QR code. */
  pairing: boolean
  /** A phone has scanned since this process began, and the login that follows is not over. */
  justPaired: boolean
  /** This process linked the session, and this is its first connection: taking it back costs nobody anything. */
  linkedHere: boolean
  /** WhatsApp has refused the session for good, and it still lies in its place: the supervisor is asked first. */
  keepsRefused: boolean
}

export interface TimerEvent {
  type: 'timer'
  lastFrameMs: number
  /** Since when a message that came over this socket has led to nothing; null or absent when none is waited for. */
  unheardSinceMs?: number | null
  /** When this socket last told of messages; null or absent when it has not. */
  lastHeardMs?: number | null
  linked: boolean
  random: number
}

export type ConnectionEvent =
  | { type: 'begin'; linked: boolean; pairing: boolean }
  /** `shared`: connects of several accounts fail, a refusal is no verdict on this one. */
  | { type: 'permit'; shared: boolean }
  /** The gate reopened: no need to wait out the backoff. */
  | { type: 'retry' }
  /** Others get through, while what is being opened here hangs from the time before. */
  | { type: 'abandon' }
  | { type: 'pair'; linked: boolean }
  | { type: 'qr'; socket: number; text: string; lifetimeMs: number }
  | { type: 'new_login'; socket: number }
  /** `wrongPhone`: it is another phone's WhatsApp than the account's. */
  | { type: 'open'; socket: number; wrongPhone: boolean }
  /** The phone that scanned wants a passkey, which Baileys can't give. */
  | { type: 'passkey_required'; socket: number }
  /** Another account is this WhatsApp number. */
  | { type: 'number_taken' }
  /** The supervisor's answer to `ask_set_aside`; false: so many accounts were refused that it is no verdict on one. */
  | { type: 'set_aside_answer'; allowed: boolean }
  /** Sockets from now on announce another client version. */
  | { type: 'version_changed' }
  /** The process has grown or become slow, and the supervisor lets it go: it goes on in a fresh one. */
  | { type: 'retire' }
  /** The operator wants this device unlinked. */
  | { type: 'log_out' }
  | { type: 'closed'; socket: number; cause: CloseCause; linked: boolean; random: number }
  | TimerEvent

export type ConnectionEffect =
  /** `firstLogin`: for the login after a phone has scanned. */
  | { type: 'request_permit'; firstLogin: boolean }
  | { type: 'permit_result'; result: 'opened' | 'answered' | 'failed' | 'unused' }
  | { type: 'open_socket'; socket: number }
  | { type: 'tear_down'; socket: number }
  | { type: 'probe'; socket: number }
  /** Unlink this device at WhatsApp. */
  | { type: 'log_out'; socket: number }
  /** The text of the QR code to show, or null to show none. */
  | { type: 'show_qr'; text: string | null; lifetimeMs: number }
  | { type: 'set_aside'; reason: Reason }
  /** Whether WhatsApp's refusal is one of this account, or of the whole fleet at once. */
  | { type: 'ask_set_aside'; reason: Reason }
  /** Go on in a fresh process. */
  | { type: 'renew_process' }

export interface ConnectionLimits {
  /** MAX_RECONNECT_ATTEMPTS: refusals of WhatsApp before the session is set aside. */
  maxReconnectAttempts: number
  /** And so long they must have gone on: a quarter of a minute is no verdict on a session. */
  refusalPeriodMs: number
  healthCheckIntervalMs: number
  staleConnectionThresholdMs: number
  /**
   * A process that has opened this many sockets goes on in a fresh one. Baileys leaves an AsyncLocalStorage behind with
   * each, and every promise of the process gets slower by it: 600 reconnects took the CPU of one from 40 to 90 ms.
   */
  renewAfterSockets: number
}

/** From the socket's begin to QR code or login; 812 prekeys of a first login take a loaded host some seconds. */
export const OPEN_DEADLINE_MS = 60_000
/** Past a QR code's own life: Baileys brings the next one, or says that there is none, by then. */
export const QR_GRACE_MS = 15_000
/** A turn at the gate may be long in coming while WhatsApp is down; asking again is free and keeps the place. */
export const ASK_AGAIN_MS = 5 * 60_000
/** An open connection this old was healthy: what failed before is forgotten. */
export const HEALTHY_AFTER_MS = 60_000
/** Another program that takes the session twice within this time is fighting for it. */
export const REPLACED_MEMORY_MS = 10 * 60_000
export const REPLACED_RETRY_MS = 60_000
export const SLOW_RETRY_MS = 10 * 60_000
/** More restarts than this without a healthy minute are a loop, whatever the server calls it. A pairing needs one. */
export const MAX_RESTARTS_AT_ONCE = 3

export const NEW_CONNECTION: Connection = {
  state: { name: 'idle', status: 'connecting', reason: 'starting', code: null },
  socket: 0,
  attempt: 0,
  refusals: 0,
  firstRefusalMs: null,
  restarts: 0,
  staleInRow: 0,
  deafInRow: 0,
  replacedMs: null,
  pairing: false,
  justPaired: false,
  linkedHere: false,
  keepsRefused: false,
}

export type Step = [Connection, ConnectionEffect[]]

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
      const probeMs =
        state.probeSentMs === null
          ? state.nextCheckMs
          : Math.min(state.nextCheckMs, state.probeSentMs + PROBE_DEADLINE_MS)
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
export const CLEAN = { attempt: 0, refusals: 0, firstRefusalMs: null, restarts: 0 } as const

export function isClean(c: Connection): boolean {
  return c.attempt === 0 && c.refusals === 0 && c.restarts === 0
}

export const hideQr: ConnectionEffect = { type: 'show_qr', text: null, lifetimeMs: 0 }

export function hasSocket(state: ConnectionState): boolean {
  return state.name === 'opening' || state.name === 'pairing' || state.name === 'open'
}

export function queue(
  c: Connection,
  reason: Reason,
  code: number | null,
  nowMs: number,
  before: ConnectionEffect[] = [],
): Step {
  const state: ConnectionState = { name: 'queued', untilMs: nowMs + ASK_AGAIN_MS, reason, code }
  return [{ ...c, state }, [...before, { type: 'request_permit', firstLogin: c.justPaired && !c.pairing }]]
}
