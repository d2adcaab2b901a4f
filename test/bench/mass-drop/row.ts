import { setTimeout as pause } from 'node:timers/promises'
import { knownPid } from '../../fixtures/known-pid.ts'
import type { DashboardBody, SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { cpuS, loadAverage } from '../machine.ts'
import type { SimulatorProcess } from '../simulator-process.ts'

/** How the server is away; `healthy`: not at all. */
export const AWAY = {
  refused: 'not listening',
  http503: 'answers 503 to the upgrade',
  vanish: 'takes connections and never answers',
} as const
export type Mode = 'healthy' | keyof typeof AWAY

/** One mass drop. Times in seconds; counted from the server's return where nothing else is said. */
export interface Row {
  accounts: number
  mode: Mode
  outageS: number
  /** Sockets opened while the server was away, by the log of the service; the simulator can't see refused ones. */
  attemptsDuring: number
  attemptsPerMinute: number | null
  attemptsInFirstMinute: number
  maxAttemptsPerS: number
  attemptsAfter: number
  /** The same as the simulator saw it; null where it could not. */
  seenDuring: number | null
  firstBackS: number | null
  allBackS: number | null
  allBackByApiS: number | null
  notBack: number
  cpuDuring: Cpu
  cpuReturn: Cpu
  /** What the API said at the end of the outage, or one second after the drop of a healthy server. */
  said: { trouble: string | null; statuses: Record<string, number> }
  troubleAfter: boolean
  everNeedsQr: number
  processesChanged: number
  loadBefore: string
  loadAfter: string
}

interface Cpu {
  supervisorS: number
  workersS: number
  simulatorS: number
}

export interface Fleet {
  service: SupervisorProcess
  simulator: SimulatorProcess
  accounts: number
}

/** Past this the row is given up, and says how many are not back. */
const GIVE_UP_MS = 300_000

export async function measureDrop(fleet: Fleet, mode: Mode, outageS: number): Promise<Row> {
  const { service, simulator, accounts } = fleet
  const loadBefore = loadAverage()
  const before = await service.dashboard()
  const pids = before.accounts.map(({ process }) => knownPid(process.pid))
  const cpu = (): Cpu => ({
    supervisorS: cpuS(service.pid),
    workersS: pids.reduce((sum, pid) => sum + cpuS(pid), 0),
    simulatorS: cpuS(simulator.pid),
  })
  const outputMark = service.output.length
  let since = (await simulator.events(0)).at(-1)?.sequence ?? 0
  const needsQr = new Set<string>()
  const look = async (): Promise<DashboardBody> => {
    const seen = await service.dashboard()
    for (const { accountId, status } of seen.accounts) if (status === 'needs_qr') needsQr.add(accountId)
    return seen
  }

  await begin(simulator, mode)
  const cpu0 = cpu()
  const dropAtMs = Date.now()
  await simulator.dropAll()
  const outageEndMs = dropAtMs + outageS * 1000
  let said = before
  while (Date.now() < outageEndMs) {
    await pause(Math.min(1000, Math.max(0, outageEndMs - Date.now())))
    said = await look()
  }
  await end(simulator, mode)
  const returnAtMs = Date.now()
  const cpu1 = cpu()

  const backAtMs = new Map<string, number>()
  let apiAtMs: number | undefined
  while (Date.now() - returnAtMs < GIVE_UP_MS) {
    const events = await simulator.events(since)
    since = events.at(-1)?.sequence ?? since
    for (const event of events) {
      if (event.type === 'device.online' && !backAtMs.has(event.phone)) backAtMs.set(event.phone, event.atMs)
    }
    const seen = await look()
    if (mode === 'healthy' && said === before && Date.now() - dropAtMs >= 1000) said = seen
    if (backAtMs.size === accounts && seen.summary.connected === accounts) {
      apiAtMs = Date.now()
      break
    }
    await pause(250)
  }
  const cpu2 = cpu()
  const after = await look()
  const opens = openTimesMs(service, outputMark)
  const during = opens.filter((ms) => ms < returnAtMs)
  const seenAtMs = (await simulator.attempts())
    .map(({ atMs }) => atMs)
    .filter((ms) => ms >= dropAtMs && ms < returnAtMs)
  const back = [...backAtMs.values()]
  const sinceReturnS = (atMs: number | undefined): number | null =>
    atMs === undefined ? null : round((atMs - returnAtMs) / 1000)
  return {
    accounts,
    mode,
    outageS,
    attemptsDuring: during.length,
    attemptsPerMinute: outageS >= 60 ? round(during.length / (outageS / 60)) : null,
    attemptsInFirstMinute: opens.filter((ms) => ms < Math.min(returnAtMs, dropAtMs + 60_000)).length,
    maxAttemptsPerS: peakPerS(opens),
    attemptsAfter: opens.length - during.length,
    seenDuring: mode === 'refused' ? null : seenAtMs.length,
    firstBackS: sinceReturnS(back.length === 0 ? undefined : Math.min(...back)),
    allBackS: sinceReturnS(back.length < accounts ? undefined : Math.max(...back)),
    allBackByApiS: sinceReturnS(apiAtMs),
    notBack: accounts - back.length,
    cpuDuring: between(cpu0, cpu1),
    cpuReturn: between(cpu1, cpu2),
    said: { trouble: said.trouble?.message ?? null, statuses: statusesOf(said) },
    troubleAfter: after.trouble !== null,
    everNeedsQr: needsQr.size,
    processesChanged: after.accounts.filter(({ process }) => !pids.some((pid) => pid === process.pid)).length,
    loadBefore,
    loadAfter: loadAverage(),
  }
}

async function begin(simulator: SimulatorProcess, mode: Mode): Promise<void> {
  switch (mode) {
    case 'healthy':
      return
    case 'refused':
      return simulator.stopListening()
    case 'http503':
      return simulator.inject({ kind: 'refuse_upgrade', status: 503, times: 'until_cleared' })
    case 'vanish':
      return simulator.inject({ kind: 'never_upgrade', times: 'until_cleared' })
    default:
      mode satisfies never
  }
}

async function end(simulator: SimulatorProcess, mode: Mode): Promise<void> {
  if (mode === 'refused') await simulator.listen()
  else if (mode !== 'healthy') await simulator.clearFaults()
}

/** Each socket that a worker opens is a line of its log. */
function openTimesMs(service: SupervisorProcess, from: number): number[] {
  return service
    .lines(from)
    .filter(({ event }) => event === 'connection.connecting')
    .map(({ time }) => Date.parse(String(time)))
    .sort((a, b) => a - b)
}

/** The most within any window of one second. */
function peakPerS(sortedMs: readonly number[]): number {
  let peak = 0
  let first = 0
  sortedMs.forEach((ms, last) => {
    while (ms - (sortedMs[first] ?? ms) >= 1000) first++
    peak = Math.max(peak, last - first + 1)
  })
  return peak
}

function statusesOf({ accounts }: DashboardBody): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, reason } of accounts) {
    const key = reason === null ? status : `${status} (${reason})`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

function between(from: Cpu, to: Cpu): Cpu {
  return {
    supervisorS: round(to.supervisorS - from.supervisorS),
    workersS: round(to.workersS - from.workersS),
    simulatorS: round(to.simulatorS - from.simulatorS),
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
