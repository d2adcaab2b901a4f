/**
 * Whether an open connection is alive. Baileys' keep-alive makes a healthy server send a frame every half minute even
 * when nobody writes, so silence is no sign of a quiet account. What is silent gets a question; what doesn't answer gets
 * a new socket.
 */
export interface LivenessInput {
  nowMs: number
  /** Monotonic ms of the last frame that came, whatever it was. */
  lastFrameMs: number
  /** When the question that is still open was asked; null when none is. */
  probeSentMs: number | null
  staleAfterMs: number
}

/** WhatsApp answers a ping in a fraction of a second; the rest is for a loaded host and a slow line. */
export const PROBE_DEADLINE_MS = 20_000

export function judgeLiveness(input: LivenessInput): 'alive' | 'probe' | 'wait' | 'dead' {
  if (input.probeSentMs !== null) {
    if (input.lastFrameMs >= input.probeSentMs) return 'alive'
    return input.nowMs - input.probeSentMs >= PROBE_DEADLINE_MS ? 'dead' : 'wait'
  }
  return input.nowMs - input.lastFrameMs >= input.staleAfterMs ? 'probe' : 'alive'
}
