import type { AccountEvidence, Evidence, ReceivedLine } from './evidence.ts'
import { trendOf } from './memory.ts'
import { nameOf } from './plan.ts'

export interface Verdict {
  readonly ok: boolean
  /** What was demanded. */
  readonly demand: string
  /** Numbers, and where it failed, whom. */
  readonly detail: string
}

/** How many culprits a line names; the rest is a number. */
const SHOWN = 8
/** What an account that its phone unlinked says; the second after a restart, which knows only that nothing is linked. */
const UNLINKED_REASONS = ['logged_out', 'not_linked']

/** The whole judgement of a run: pure, one verdict per demand. */
export function judge(evidence: Evidence): Verdict[] {
  return [
    connected(evidence),
    unlinked(evidence),
    sessionsKept(evidence),
    receipts(evidence),
    exactlyOnce(evidence),
    filesWhole(evidence),
    noProcessLeft(evidence),
    memoryFlat(evidence),
    logClean(evidence),
    runSound(evidence),
  ]
}

function connected({ accounts, calmAfterMs, calmLimitMs }: Evidence): Verdict {
  const wanted = accounts.filter(({ unlinked }) => !unlinked)
  const down = wanted.filter(({ status }) => status !== 'connected')
  const when =
    calmAfterMs === null
      ? `all was not well within ${seconds(calmLimitMs)}`
      : `all was well ${seconds(calmAfterMs)} after the last fault`
  return verdict(
    'every account that was not unlinked on purpose is connected again',
    `${wanted.length - down.length} of ${wanted.length}; ${when}`,
    down.map(({ phone, status, reason }) => `${nameOf(phone)} is ${status} (${reason})`),
  )
}

function unlinked({ accounts }: Evidence): Verdict {
  const gone = accounts.filter((account) => account.unlinked)
  const wrong = gone.flatMap(({ phone, status, reason, setAside }) => [
    ...(status === 'needs_qr' && UNLINKED_REASONS.includes(reason ?? '')
      ? []
      : [`${nameOf(phone)} is ${status} (${reason})`]),
    ...(setAside.length === 1 && setAside[0]?.includes('logged_out')
      ? []
      : [`${nameOf(phone)} has set aside: ${setAside.join(', ') || 'nothing'}`]),
  ])
  return verdict('an account that its phone unlinked waits for a phone, its session set aside', `${gone.length}`, wrong)
}

function sessionsKept({ accounts }: Evidence): Verdict {
  const wanted = accounts.filter((account) => !account.unlinked)
  const lost = wanted.flatMap(({ phone, identityBefore, identityAfter, setAside }) => [
    ...(identityBefore !== null && identityBefore === identityAfter ? [] : [`${nameOf(phone)} has another identity`]),
    ...setAside.map((name) => `${nameOf(phone)}: ${name} was set aside`),
  ])
  return verdict('no session was paired again', `${wanted.length} identities are as they were`, lost)
}

function receipts({ accounts, sent, receipted }: Evidence): Verdict {
  const due = sent.filter(({ phone }) => !isUnlinked(accounts, phone))
  const missing = due.filter(({ id }) => !receipted.has(id))
  return verdict(
    'every message that was sent has a receipt in the end',
    `${due.length - missing.length} of ${due.length}`,
    missing.map(({ id, phone }) => `${id} to ${nameOf(phone)}`),
  )
}

function exactlyOnce({ accounts, sent, receipted, received }: Evidence): Verdict {
  const places = placesOf(received)
  const accountIds = new Map(accounts.map(({ phone, accountId }) => [phone, accountId]))
  const due = sent.filter(({ id }) => receipted.has(id))
  const wrong = due.flatMap(({ id, phone }) => {
    const found = [...(places.get(id) ?? [])]
    if (found.length === 0) return [`${id} to ${nameOf(phone)} was never delivered`]
    if (found.length > 1) return [`${id} to ${nameOf(phone)} was delivered ${found.length} times`]
    if (found[0]?.startsWith(`${accountIds.get(phone)} `)) return []
    return [`${id} to ${nameOf(phone)} was delivered to another account`]
  })
  const shared = sharedPlaces(received).map((place) => `one place in a stream names several messages: ${place}`)
  const lines = received.length === 0 ? 'no line message.received was seen' : `${received.length} lines`
  return verdict(
    'every message with a receipt was delivered to the event stream exactly once',
    `${due.length - wrong.length} of ${due.length}; ${lines}`,
    [...wrong, ...shared],
  )
}

function filesWhole({ accounts, exitCode }: Evidence): Verdict {
  const damaged = accounts.filter(({ damage, unlinked }) => damage !== null && !unlinked)
  return verdict('no file is damaged after the stop', `${accounts.length - damaged.length} sessions are whole`, [
    ...damaged.map(({ phone, damage }) => `${nameOf(phone)}: ${damage}`),
    ...(exitCode === 0 ? [] : [`the service ended with ${exitCode}`]),
  ])
}

function noProcessLeft({ processesLeft }: Evidence): Verdict {
  return verdict('no process is left', `${processesLeft.length} left`, processesLeft)
}

function memoryFlat({ memory }: Evidence): Verdict {
  const demand = 'memory is flat'
  const supervisor = trendOf(memory, 'supervisor')
  if (supervisor === undefined) return verdict(demand, 'too few samples', ['the supervisor was not seen long enough'])
  const workers = trendOf(memory, 'worker')
  const ofWorkers =
    workers === undefined ? '' : `; workers ${mib(workers.firstThirdKiB)} to ${mib(workers.lastThirdKiB)}`
  const { firstThirdKiB, lastThirdKiB, boundKiB, samples } = supervisor
  const detail = `supervisor ${mib(firstThirdKiB)} to ${mib(lastThirdKiB)}, first to last third of its age (${samples} samples), at most ${mib(boundKiB)}${ofWorkers}`
  return verdict(demand, detail, lastThirdKiB > boundKiB ? ['the supervisor grew'] : [])
}

function logClean({ log }: Evidence): Verdict {
  const wrong = [
    ...log.crashes.map((line) => `crash: ${line}`),
    ...log.bugs.map((line) => `bug: ${line}`),
    ...log.stackTraces.map((line) => `stack trace: ${line}`),
  ]
  return verdict('the log has no crash, no bug and no stack trace', `${log.lines} lines`, wrong)
}

function runSound({ troubles }: Evidence): Verdict {
  return verdict('the service took every order and every start', `${troubles.length} troubles`, troubles)
}

function placesOf(received: readonly ReceivedLine[]): Map<string, Set<string>> {
  const places = new Map<string, Set<string>>()
  for (const line of received) {
    const known = places.get(line.messageId) ?? new Set<string>()
    places.set(line.messageId, known.add(placeOf(line)))
  }
  return places
}

/** Places under which more than one message was printed. */
function sharedPlaces(received: readonly ReceivedLine[]): string[] {
  const messages = new Map<string, Set<string>>()
  for (const line of received) {
    const known = messages.get(placeOf(line)) ?? new Set<string>()
    messages.set(placeOf(line), known.add(line.messageId))
  }
  return [...messages].filter(([, ids]) => ids.size > 1).map(([place]) => place)
}

function placeOf({ accountId, stream, sequence }: ReceivedLine): string {
  return `${accountId} ${stream} ${sequence}`
}

function isUnlinked(accounts: readonly AccountEvidence[], phone: string): boolean {
  return accounts.some((account) => account.phone === phone && account.unlinked)
}

function verdict(demand: string, numbers: string, wrong: readonly string[]): Verdict {
  if (wrong.length === 0) return { ok: true, demand, detail: numbers }
  const more = wrong.length > SHOWN ? `; and ${wrong.length - SHOWN} more` : ''
  return { ok: false, demand, detail: `${numbers}; ${wrong.slice(0, SHOWN).join('; ')}${more}` }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(0)} s`
const mib = (kiB: number): string => `${(kiB / 1024).toFixed(0)} MiB`
