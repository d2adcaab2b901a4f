/** How far a boot is, and how long it may still take: for a person who waits for it. */
export interface BootState {
  connected: number
  /** Connected, or waiting for a person. */
  settled: number
  total: number
  /** Since its begin. */
  elapsedMs: number
  /** When its last account starts, from its begin. */
  lastStartMs: number
}

export interface BootProgress {
  connected: number
  settled: number
  total: number
  /** An estimate. */
  remainingMs: number
}

/** From the start of a worker to its connection, on a host with others to start. */
const LOGIN_MS = 4000
/** So many have shown how fast this host is. */
const ENOUGH_SEEN = 3

/** The later of two: the last start of the plan and a login, or the pace so far for those that are left. */
export function bootProgress({ connected, settled, total, elapsedMs, lastStartMs }: BootState): BootProgress {
  const left = Math.max(0, total - settled)
  const plannedMs = left === 0 ? 0 : Math.max(0, lastStartMs + LOGIN_MS - elapsedMs)
  const paceMs = settled < ENOUGH_SEEN ? 0 : (left * elapsedMs) / settled
  return { connected, settled, total, remainingMs: Math.round(Math.max(plannedMs, paceMs)) }
}
