/**
 * The gate that every socket open in the fleet passes: at boot, after a crash, after an outage. A worker asks, waits its
 * turn, and says what came of it. The rate opens as connects succeed and closes to one probing account as they fail
 * (additive increase, multiplicative decrease, as in TCP), so that a server that dropped everybody gets everybody back
 * in seconds, and a server that is down gets a few attempts a minute from the whole fleet instead of a storm.
 *
 * | mode    | grants                                                    | leaves on                                    |
 * |---------|-----------------------------------------------------------|----------------------------------------------|
 * | open    | `ratePerSecond`, at most `maxInFlight` unanswered         | `closeAfter` accounts failed in a row -> closed |
 * | closed  | one account at a time, `probeGapMs` after the last probe  | a success -> open, at the lowest rate        |
 *
 * First come, first served: an account that fails goes to the end of the queue, so probes take turns. Times are
 * monotonic milliseconds.
 */
export interface GateLimits {
  minPerSecond: number
  maxPerSecond: number
  maxInFlight: number
  /** So many different accounts that failed with no success between them close the gate: one alone is its own trouble. */
  closeAfter: number
  /** The pause between probes grows from the first to the last: one account can be unlucky, an outage is long. */
  probeGapFirstMs: number
  probeGapCapMs: number
  /** A permit that was never answered counts as failed after this long. Longer than a worker's own open deadline. */
  permitExpiryMs: number
}

/**
 * 5 a second: 30 accounts are back some 9 s after the probe that succeeds. A probe every 4 s at the latest keeps "back
 * within 15 s of the return", also where a login takes 1.5 s (test/unit/supervisor/fleet/gatekeeper.test.ts).
 */
export const GATE_LIMITS: GateLimits = {
  minPerSecond: 1,
  maxPerSecond: 5,
  maxInFlight: 10,
  closeAfter: 3,
  probeGapFirstMs: 1000,
  probeGapCapMs: 4000,
  permitExpiryMs: 90_000,
}

export interface Gate {
  queue: readonly string[]
  /** Account -> when it got its permit. */
  inFlight: ReadonlyMap<string, number>
  ratePerSecond: number
  lastGrantMs: number
  /** Accounts that failed since the last success. */
  failing: ReadonlySet<string>
  /** Probes since the gate closed; undefined while it is open. */
  probes: number | undefined
}

/**
 * What an attempt came to. `answered`: WhatsApp was reached and refused this account (logged out, banned): nothing that
 * says anything about the others. `unused`: the permit came when nobody waited for it any more.
 */
export type PermitResult = 'opened' | 'answered' | 'failed' | 'unused'

export function newGate(limits: GateLimits): Gate {
  return {
    queue: [],
    inFlight: new Map(),
    ratePerSecond: limits.maxPerSecond,
    lastGrantMs: Number.NEGATIVE_INFINITY,
    failing: new Set(),
    probes: undefined,
  }
}

/** The account waits for its turn. Asking twice is asking once; a permit it still held is given back unjudged. */
export function requestPermit(gate: Gate, accountId: string): Gate {
  const queue = gate.queue.includes(accountId) ? gate.queue : [...gate.queue, accountId]
  return { ...gate, queue, inFlight: without(gate.inFlight, accountId) }
}

/** Whether what fails now is shared by accounts, so that it is no verdict on any one of them. */
export function isClosed(gate: Gate): boolean {
  return gate.probes !== undefined
}

/** The account's process is gone or no longer wants to connect. */
export function withdrawPermit(gate: Gate, accountId: string): Gate {
  return {
    ...gate,
    queue: gate.queue.filter((id) => id !== accountId),
    inFlight: without(gate.inFlight, accountId),
  }
}

/** The answer to a permit. `reopened` is true when it opened a closed gate: whoever waits may come at once. */
export function settlePermit(
  gate: Gate,
  accountId: string,
  result: PermitResult,
  limits: GateLimits,
): { gate: Gate; reopened: boolean } {
  if (!gate.inFlight.has(accountId)) return { gate, reopened: false }
  const inFlight = without(gate.inFlight, accountId)
  switch (result) {
    case 'opened':
    case 'answered': {
      const reopened = gate.probes !== undefined
      const ratePerSecond = reopened ? limits.minPerSecond : Math.min(limits.maxPerSecond, gate.ratePerSecond + 1)
      return { gate: { ...gate, inFlight, ratePerSecond, failing: new Set(), probes: undefined }, reopened }
    }
    case 'failed': {
      const failing = new Set(gate.failing).add(accountId)
      const ratePerSecond = Math.max(limits.minPerSecond, gate.ratePerSecond / 2)
      const probes = gate.probes ?? (failing.size >= limits.closeAfter ? 0 : undefined)
      return { gate: { ...gate, inFlight, ratePerSecond, failing, probes }, reopened: false }
    }
    case 'unused':
      return { gate: withdrawPermit(gate, accountId), reopened: false }
    default:
      return result satisfies never
  }
}

/**
 * Grants what may be granted now.
 * @returns the gate afterwards, the accounts whose turn it is, and when to ask again (undefined: nobody waits, or only
 * an answer can change something)
 */
export function grantPermits(
  gate: Gate,
  nowMs: number,
  limits: GateLimits,
): { gate: Gate; granted: string[]; nextMs: number | undefined } {
  let current = expire(gate, nowMs, limits)
  const granted: string[] = []
  for (;;) {
    const accountId = current.queue[0]
    const closed = current.probes !== undefined
    const maxInFlight = closed ? 1 : limits.maxInFlight
    if (accountId === undefined) return { gate: current, granted, nextMs: undefined }
    if (current.inFlight.size >= maxInFlight) return { gate: current, granted, nextMs: expiryMs(current, limits) }
    const dueMs = current.lastGrantMs + gapMs(current, limits)
    if (nowMs < dueMs) return { gate: current, granted, nextMs: dueMs }
    granted.push(accountId)
    current = {
      ...current,
      queue: current.queue.slice(1),
      inFlight: new Map(current.inFlight).set(accountId, nowMs),
      lastGrantMs: nowMs,
      probes: current.probes === undefined ? undefined : current.probes + 1,
    }
  }
}

function gapMs(gate: Gate, limits: GateLimits): number {
  if (gate.probes === undefined) return 1000 / gate.ratePerSecond
  return Math.min(limits.probeGapCapMs, limits.probeGapFirstMs * 2 ** Math.min(gate.probes, 30))
}

function expire(gate: Gate, nowMs: number, limits: GateLimits): Gate {
  let current = gate
  for (const [accountId, grantedMs] of gate.inFlight) {
    if (nowMs - grantedMs >= limits.permitExpiryMs) current = settlePermit(current, accountId, 'failed', limits).gate
  }
  return current
}

function expiryMs(gate: Gate, limits: GateLimits): number {
  return Math.min(...gate.inFlight.values()) + limits.permitExpiryMs
}

function without<T>(map: ReadonlyMap<string, T>, key: string): ReadonlyMap<string, T> {
  if (!map.has(key)) return map
  const copy = new Map(map)
  copy.delete(key)
  return copy
}
