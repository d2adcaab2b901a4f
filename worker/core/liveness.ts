/**
 * Whether an open connection is alive. Baileys' keep-alive makes a healthy server send a frame every half minute even
 * when nobody writes, so silence is no sign of a quiet account. What is silent gets a question; what doesn't answer gets
 * a new socket.
 *
 * A connection whose frames come, but whose messages never come out of Baileys, is deaf: it gets a new socket too.
 */
export interface LivenessInput {
  nowMs: number
  /** Monotonic ms of the last frame that came, whatever it was. */
  lastFrameMs: number
  /** When the question that is still open was asked; null when none is. */
  probeSentMs: number | null
  staleAfterMs: number
  /** Since when a message that came has led to nothing (hearing.ts); null when none is waited for. */
  unheardSinceMs: number | null
}

/** WhatsApp answers a ping in a fraction of a second; the rest is for a loaded host and a slow line. */
export const PROBE_DEADLINE_MS = 20_000

/**
 * Baileys holds events back for 30 s at the most, and a query that a decryption waits for (the LID of a number) times out
 * after 20 s. The rest is for a loaded host and a slow disk.
 */
export const DEAF_AFTER_MS = 90_000

export function judgeLiveness(input: LivenessInput): 'alive' | 'probe' | 'wait' | 'dead' | 'deaf' {
  if (input.unheardSinceMs !== null && input.nowMs - input.unheardSinceMs >= DEAF_AFTER_MS) return 'deaf'
  if (input.probeSentMs !== null) {
    if (input.lastFrameMs >= input.probeSentMs) return 'alive'
    return input.nowMs - input.probeSentMs >= PROBE_DEADLINE_MS ? 'dead' : 'wait'
  }
  return input.nowMs - input.lastFrameMs >= input.staleAfterMs ? 'probe' : 'alive'
}
