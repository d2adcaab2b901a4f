import type { ConnectionStatus, Reason } from '../../shared/states.ts'

/**
 * A day of an account or of the fleet as a picture has room for it: so many slots, each showing the worst that was in it,
 * so that a short outage stays visible. Times are epoch ms.
 */
export type PastStatus = ConnectionStatus | 'not_running'

export interface PastState {
  status: PastStatus
  /** Null also where the service was not running. */
  reason: Reason | null
}

export interface Transition extends PastState {
  atMs: number
  /** WhatsApp's close code, where there was one. */
  code: number | null
  /** What is known beyond the reason. */
  detail: string | null
}

export interface Segment extends PastState {
  fromMs: number
}

/** A sample of the fleet: the end of a minute, and what came within it. */
export interface Minute {
  atMs: number
  connected: number
  in: number
  out: number
}

/** Slots of a picture: of 24 h they are five minutes each. */
export const SLOTS = 288

/** The slot of a picture of a day. */
export const DAY_SLOT_MS = 86_400_000 / SLOTS

/** What a slot shows of what was in it. */
const WORSE: Readonly<Record<PastStatus, number>> = {
  connected: 0,
  connecting: 1,
  needs_qr: 2,
  disconnected: 3,
  not_running: 4,
}

/**
 * @param transitions in order of time; those before `fromMs` say what was so at it
 * @returns segments of which each differs from the one before; none where nothing is known
 */
export function segmentsOf(transitions: readonly Transition[], fromMs: number, toMs: number): Segment[] {
  const slotMs = (toMs - fromMs) / SLOTS
  const segments: Segment[] = []
  let next = 0
  let state: PastState | undefined
  while (next < transitions.length && (transitions[next]?.atMs ?? Infinity) <= fromMs) state = transitions[next++]
  for (let slot = 0; slot < SLOTS; slot++) {
    const endMs = fromMs + (slot + 1) * slotMs
    let shown = state
    let beganMs = fromMs + slot * slotMs
    for (; next < transitions.length; next++) {
      const transition = transitions[next]
      if (transition === undefined || transition.atMs > endMs) break
      // What begins in this slot is shown from where it began, where nothing was known before.
      if (shown === undefined) beganMs = transition.atMs
      if (shown === undefined || WORSE[transition.status] > WORSE[shown.status]) shown = transition
      state = transition
    }
    if (shown === undefined) continue
    const last = segments.at(-1)
    if (last?.status === shown.status && last.reason === shown.reason) continue
    segments.push({ fromMs: Math.round(beganMs), status: shown.status, reason: shown.reason })
  }
  return segments
}

/**
 * As few transitions as a picture of a day can be drawn from: of each slot the worst, and how it ended; and the very
 * first, with which knowledge begins.
 * @param transitions in order of time
 */
export function thinned(transitions: readonly Transition[]): Transition[] {
  const kept = new Set(transitions.slice(0, 1))
  let worst: Transition | undefined
  for (const [index, transition] of transitions.entries()) {
    if (worst === undefined || WORSE[transition.status] > WORSE[worst.status]) worst = transition
    const next = transitions[index + 1]
    if (next !== undefined && slotOf(next) === slotOf(transition)) continue
    kept.add(worst).add(transition)
    worst = undefined
  }
  return [...kept]
}

/** What is at the end of a slot belongs to it. */
function slotOf({ atMs }: Transition): number {
  return Math.ceil(atMs / DAY_SLOT_MS)
}

/** The fleet in the same slots; `count` is null where no sample is: the service was not running. */
export function seriesOf(
  minutes: readonly Minute[],
  fromMs: number,
  toMs: number,
): { atMs: number; count: number | null; in: number; out: number }[] {
  const slotMs = (toMs - fromMs) / SLOTS
  const slots = Array.from({ length: SLOTS }, (_, slot) => ({
    atMs: Math.round(fromMs + slot * slotMs),
    count: null as number | null,
    in: 0,
    out: 0,
  }))
  for (const minute of minutes) {
    const slot = slots[Math.ceil((minute.atMs - fromMs) / slotMs) - 1]
    if (slot === undefined) continue
    // The fewest: a dip between two samples of a slot is what one wants to see.
    slot.count = Math.min(slot.count ?? Infinity, minute.connected)
    slot.in += minute.in
    slot.out += minute.out
  }
  return slots
}
