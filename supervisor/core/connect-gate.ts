/**
 * The gate that every socket open in the fleet passes: at boot, after a crash, after an outage. A worker asks, waits its
 * turn, and says what came of it. The rate opens as connects succeed and closes to one probing account as they fail
 * (additive increase, multiplicative decrease, as in TCP), so that a server that dropped everybody gets everybody back
 * in seconds, and a server that is down gets a few attempts a minute from the whole fleet instead of a storm.
 *
 * | mode    | grants                                                         | leaves on                                       |
 * |---------|----------------------------------------------------------------|-------------------------------------------------|
 * | open    | `ratePerSecond`, at most `maxInFlight` under way               | `closeAfter` accounts failed in a row -> closed |
 * | closed  | one account at a time, `probeGapMs` after the last probe       | a success -> open, at half of the highest rate  |
 *
 * First come, first served: an account that fails goes to the end of the queue, so probes take turns.
 *
 * A permit is under way for `patienceMs`. Where no answer has come by then, it counts as a failure for the time being and
 * holds up nobody: one slow account costs the others nothing, and where packets vanish probes still follow each other,
 * although each of them hangs for the 20 s of a connect timeout. Its answer still counts when it comes. It is abandoned,
 * for another attempt, where one that was begun later has been answered: always if that one reopened the gate, since what
 * hangs was begun while the server was away; else once, since a slow account must come up too.
 *
 * A first login, after a phone has scanned, brings 812 keys to make and the begin of a history: twice to three times the
 * memory and CPU of any other. So only `maxFirstLogins` are under way at a time, until `firstLoginSettleMs` after each is
 * open; those that wait for one hold up nobody else. One that gets no answer keeps its place for `patienceMs`.
 * Times are monotonic milliseconds.
 */
export interface GateLimits {
  minPerSecond: number
  maxPerSecond: number
  maxInFlight: number
  maxFirstLogins: number
  firstLoginSettleMs: number
  /** So many different accounts that failed with no success between them close the gate: one alone is its own trouble. */
  closeAfter: number
  /** The pause between probes grows from the first to the last: one account can be unlucky, an outage is long. */
  probeGapFirstMs: number
  probeGapCapMs: number
  /** So long a permit that was not answered keeps others waiting. */
  patienceMs: number
  /** So long an account that others overtook goes on with its first attempt. */
  overtakenMs: number
  /** A permit that was never answered is forgotten after this long. Longer than a worker's own open deadline. */
  permitExpiryMs: number
}

/**
 * A probe every 5 s is 12 attempts a minute of the whole fleet. Fewer would cost the return: of 15 s, up to 5 pass before
 * the probe that succeeds, 7 while 30 accounts come at 5 a second at the most, and 3 are left for two logins on a busy
 * host (test/unit/supervisor/fleet/gatekeeper.test.ts; measured: test/bench/README.md).
 */
export const GATE_LIMITS: GateLimits = {
  minPerSecond: 1,
  maxPerSecond: 5,
  maxInFlight: 10,
  maxFirstLogins: 2,
  // What a phone sends at once is done with in 0.5 to 2 s, by the machine; parts of a long history follow for minutes.
  firstLoginSettleMs: 2000,
  closeAfter: 3,
  probeGapFirstMs: 1000,
  probeGapCapMs: 5000,
  // A login takes 0.2 to 2 s, the latter with ten of them on a loaded host.
  patienceMs: 5000,
  overtakenMs: 10_000,
  permitExpiryMs: 90_000,
}

export interface Gate {
  queue: readonly string[]
  /** Those of the queue that wait for a first login. */
  firstLogins: ReadonlySet<string>
  /** First logins that were granted -> until when each keeps its place. */
  settling: ReadonlyMap<string, number>
  /** Account -> when it got its permit. */
  inFlight: ReadonlyMap<string, number>
  /** The same of those whose answer is late. */
  overdue: ReadonlyMap<string, number>
  ratePerSecond: number
  lastGrantMs: number
  /** When the gate last went from closed to open: what was granted before says nothing about now. */
  reopenedMs: number
  /** When the latest of the permits that led to an answer was granted. */
  provenMs: number
  /** Accounts that were overtaken and began anew, and had no answer since. */
  restarted: ReadonlySet<string>
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
    firstLogins: new Set(),
    settling: new Map(),
    inFlight: new Map(),
    overdue: new Map(),
    ratePerSecond: limits.maxPerSecond,
    lastGrantMs: Number.NEGATIVE_INFINITY,
    reopenedMs: Number.NEGATIVE_INFINITY,
    provenMs: Number.NEGATIVE_INFINITY,
    restarted: new Set(),
    failing: new Set(),
    probes: undefined,
  }
}

/**
 * The account waits for its turn. Asking twice is asking once; a permit it still held is given back unjudged.
 * @param isFirstLogin a phone has just scanned for it
 */
export function requestPermit(gate: Gate, accountId: string, isFirstLogin = false): Gate {
  const queue = gate.queue.includes(accountId) ? gate.queue : [...gate.queue, accountId]
  const firstLogins = new Set(gate.firstLogins)
  if (isFirstLogin) firstLogins.add(accountId)
  else firstLogins.delete(accountId)
  return { ...release(gate, accountId), queue, firstLogins, settling: without(gate.settling, accountId) }
}

/** Whether what fails now is shared by accounts, so that it is no verdict on any one of them. */
export function isClosed(gate: Gate): boolean {
  return gate.probes !== undefined
}

/** The account's process is gone or no longer wants to connect. */
export function withdrawPermit(gate: Gate, accountId: string): Gate {
  const restarted = new Set(gate.restarted)
  restarted.delete(accountId)
  const settling = without(gate.settling, accountId)
  return { ...leaveQueue(release(gate, accountId), accountId), restarted, settling }
}

/** The answer to a permit. `reopened` is true when it opened a closed gate: whoever waits may come at once. */
export function settlePermit(
  gate: Gate,
  accountId: string,
  result: PermitResult,
  nowMs: number,
  limits: GateLimits,
): { gate: Gate; reopened: boolean } {
  const grantedMs = gate.inFlight.get(accountId) ?? gate.overdue.get(accountId)
  if (grantedMs === undefined) return { gate, reopened: false }
  // A late answer was counted as a failure already; one to a permit of before the gate reopened speaks of the past.
  const isNews = gate.inFlight.has(accountId) && grantedMs >= gate.reopenedMs
  const settling = without(gate.settling, accountId)
  if (result === 'opened' && gate.settling.has(accountId)) settling.set(accountId, nowMs + limits.firstLoginSettleMs)
  const settled = { ...release(gate, accountId), settling }
  switch (result) {
    case 'opened':
    case 'answered': {
      const restarted = new Set(gate.restarted)
      restarted.delete(accountId)
      const provenMs = Math.max(gate.provenMs, grantedMs)
      const opened = { ...settled, failing: new Set<string>(), probes: undefined, provenMs, restarted }
      if (isClosed(gate)) {
        const ratePerSecond = Math.max(limits.minPerSecond, limits.maxPerSecond / 2)
        return { gate: { ...opened, ratePerSecond, reopenedMs: nowMs }, reopened: true }
      }
      const ratePerSecond = Math.min(limits.maxPerSecond, gate.ratePerSecond + 1)
      return { gate: { ...opened, ratePerSecond }, reopened: false }
    }
    case 'failed':
      return { gate: isNews ? countFailure(settled, accountId, limits) : settled, reopened: false }
    case 'unused':
      return { gate: withdrawPermit(gate, accountId), reopened: false }
    default:
      return result satisfies never
  }
}

/**
 * Grants what may be granted now.
 * @returns the gate afterwards, the accounts whose turn it is, those that shall give up what they are opening and ask
 * again, and when to call again (undefined: nobody waits and nothing is under way)
 */
export function grantPermits(
  gate: Gate,
  nowMs: number,
  limits: GateLimits,
): { gate: Gate; granted: string[]; abandoned: string[]; nextMs: number | undefined } {
  const judged = judge(gate, nowMs, limits)
  const { abandoned } = judged
  let current = { ...judged.gate, settling: stillSettling(judged.gate, nowMs) }
  const granted: string[] = []
  for (;;) {
    const hasPlace = current.settling.size < limits.maxFirstLogins
    const accountId = current.queue.find((id) => hasPlace || !current.firstLogins.has(id))
    const judgementMs = nextJudgementMs(current, limits)
    const maxInFlight = isClosed(current) ? 1 : limits.maxInFlight
    if (accountId === undefined || current.inFlight.size >= maxInFlight) {
      const placeMs = current.queue.length > 0 ? [...current.settling.values()] : []
      return { gate: current, granted, abandoned, nextMs: earliest([judgementMs, ...placeMs]) }
    }
    const dueMs = current.lastGrantMs + gapMs(current, limits)
    if (nowMs < dueMs) return { gate: current, granted, abandoned, nextMs: earliest([dueMs, judgementMs]) }
    granted.push(accountId)
    const settling = new Map(current.settling)
    if (current.firstLogins.has(accountId)) settling.set(accountId, nowMs + limits.patienceMs)
    current = {
      ...leaveQueue(current, accountId),
      settling,
      inFlight: new Map(current.inFlight).set(accountId, nowMs),
      lastGrantMs: nowMs,
      probes: current.probes === undefined ? undefined : current.probes + 1,
    }
  }
}

function stillSettling({ settling }: Gate, nowMs: number): ReadonlyMap<string, number> {
  return new Map([...settling].filter(([, untilMs]) => nowMs < untilMs))
}

function leaveQueue(gate: Gate, accountId: string): Gate {
  const firstLogins = new Set(gate.firstLogins)
  firstLogins.delete(accountId)
  return { ...gate, queue: gate.queue.filter((id) => id !== accountId), firstLogins }
}

/** Of those that are; undefined where none is. */
function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((ms) => ms !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

function gapMs(gate: Gate, limits: GateLimits): number {
  if (gate.probes === undefined) return 1000 / gate.ratePerSecond
  return Math.min(limits.probeGapCapMs, limits.probeGapFirstMs * 2 ** Math.min(gate.probes, 30))
}

function countFailure(gate: Gate, accountId: string, limits: GateLimits): Gate {
  const failing = new Set(gate.failing).add(accountId)
  const ratePerSecond = Math.max(limits.minPerSecond, gate.ratePerSecond / 2)
  const probes = gate.probes ?? (failing.size >= limits.closeAfter ? 0 : undefined)
  return { ...gate, failing, ratePerSecond, probes }
}

/** What time alone says about permits that nobody answered. */
function judge(gate: Gate, nowMs: number, limits: GateLimits): { gate: Gate; abandoned: string[] } {
  let current = gate
  const abandoned: string[] = []
  const isOld = (grantedMs: number): boolean =>
    !isClosed(gate) && grantedMs < gate.reopenedMs && grantedMs < gate.provenMs
  for (const [accountId, grantedMs] of gate.inFlight) {
    if (nowMs < grantedMs + limits.patienceMs) continue
    current = release(current, accountId)
    if (isOld(grantedMs)) abandoned.push(accountId)
    else {
      current = { ...current, overdue: new Map(current.overdue).set(accountId, grantedMs) }
      current = countFailure(current, accountId, limits)
    }
  }
  for (const [accountId, grantedMs] of current.overdue) {
    if (isOld(grantedMs)) abandoned.push(accountId)
    else if (isOvertaken(gate, accountId, grantedMs) && nowMs >= grantedMs + limits.overtakenMs) {
      abandoned.push(accountId)
      current = { ...current, restarted: new Set(current.restarted).add(accountId) }
    } else if (nowMs < grantedMs + limits.permitExpiryMs) continue
    current = release(current, accountId)
  }
  return { gate: current, abandoned }
}

function isOvertaken(gate: Gate, accountId: string, grantedMs: number): boolean {
  return !isClosed(gate) && grantedMs < gate.provenMs && !gate.restarted.has(accountId)
}

/** When `judge` has something to say next. */
function nextJudgementMs(gate: Gate, limits: GateLimits): number | undefined {
  const overtaken = [...gate.overdue].filter(([accountId, grantedMs]) => isOvertaken(gate, accountId, grantedMs))
  return earliest([
    ...[...gate.inFlight.values()].map((grantedMs) => grantedMs + limits.patienceMs),
    ...overtaken.map(([, grantedMs]) => grantedMs + limits.overtakenMs),
  ])
}

function release(gate: Gate, accountId: string): Gate {
  return { ...gate, inFlight: without(gate.inFlight, accountId), overdue: without(gate.overdue, accountId) }
}

function without<T>(map: ReadonlyMap<string, T>, key: string): Map<string, T> {
  const copy = new Map(map)
  copy.delete(key)
  return copy
}
