import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { accountIdOf } from '../../shared/account-id.ts'
import { pair, testPhones } from '../fixtures/paired-fleet.ts'
import { SupervisorProcess, TOKEN } from '../fixtures/supervisor-process.ts'
import { CHANGE_FILE } from './api/change-file.ts'
import type { ClientsOrder, ClientsReport } from './api/clients.ts'
import { until } from '../fixtures/until.ts'
import { cpuS, loadAverage } from './machine.ts'
import { countOf, countsOf, markdown, nameOf, publish, runBench, say } from './options.ts'
import { SimulatorProcess } from './simulator-process.ts'
import { withCleanup } from './with-cleanup.ts'

/**
 * What watching costs, and how late it is: event streams and requests for the whole dashboard, from a process of their
 * own, over the real service. The delay of an event is from the worker's word to its arrival at a client.
 */
const USAGE = `Usage: npm run bench -- api [options]

  --accounts LIST   fleets to measure (30,200)
  --workers KIND    like: what a supervisor hears of workers, without them (worker.ts; the default); real: real workers and
                    the simulator: 20 MB and a pairing each
  --clients N       event streams (20)
  --changes N       transitions a second of the whole fleet (5)
  --requests N      requests for the dashboard a second (4)
  --seconds S       of each measurement (30)
  --json FILE       writes the JSON there instead of on standard output
`
const SUPERVISOR = new URL('./api/supervisor.js', import.meta.url)
const CLIENTS = fileURLToPath(new URL('./api/clients.js', import.meta.url))
const CONNECT_DEADLINE_MS = 300_000
const WORKERS = { like: 'what a supervisor hears of workers', real: 'real workers and the simulator' } as const
const MOST_ACCOUNTS = 1000
const MOST = 3600

interface Options {
  accounts: number[]
  isReal: boolean
  clients: number
  changesPerS: number
  requestsPerS: number
  seconds: number
  json: string | undefined
}

function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      accounts: { type: 'string', default: '30,200' },
      workers: { type: 'string', default: 'like' },
      clients: { type: 'string', default: '20' },
      changes: { type: 'string', default: '5' },
      requests: { type: 'string', default: '4' },
      seconds: { type: 'string', default: '30' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    accounts: countsOf('--accounts', values.accounts, MOST_ACCOUNTS),
    isReal: nameOf('--workers', values.workers, WORKERS) === 'real',
    clients: countOf('--clients', values.clients, MOST),
    changesPerS: countOf('--changes', values.changes, MOST),
    requestsPerS: countOf('--requests', values.requests, MOST),
    seconds: countOf('--seconds', values.seconds, MOST),
    json: values.json,
  }
}

interface Percentiles {
  n: number
  p50: number | null
  p99: number | null
  max: number | null
}

interface Row {
  accounts: number
  workers: keyof typeof WORKERS
  clients: number
  seconds: number
  dashboardMs: Percentiles
  dashboardBytes: number
  eventDelayMs: Percentiles
  streamBytesPerSAndClient: number
  streamsLost: number
  supervisor: { cpuPercentQuiet: number; cpuPercentWatched: number; rssMiB: number }
  load: string
}

/** Sorted by size: of nothing there is nothing. */
function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number | null => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
    return value === undefined ? null : Math.round(value * 10) / 10
  }
  return { n: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}

async function rssMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}

/** Of one core. */
async function cpuPercent(pid: number, during: Promise<unknown>): Promise<number> {
  const [beforeS, beganMs] = [cpuS(pid), performance.now()]
  await during
  const share = (1000 * (cpuS(pid) - beforeS)) / (performance.now() - beganMs)
  return Math.round(share * 1000) / 10
}

async function measure(count: number, options: Options): Promise<Row> {
  const { isReal, clients, changesPerS, requestsPerS, seconds } = options
  const sessionsPath = await mkdtemp(join(tmpdir(), 'bench-api-'))
  const simulator = isReal ? await SimulatorProcess.start() : undefined
  const phones = testPhones(count)
  const env = {
    MAX_ACCOUNTS: String(count),
    CONNECT_RATE_MAX: '100',
    ...(simulator === undefined ? {} : { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey }),
  }
  if (!isReal) {
    await writeFile(join(sessionsPath, 'accounts.json'), accountsFile(phones))
    await writeFile(join(sessionsPath, CHANGE_FILE), String(Math.round((2 * 1000 * count) / changesPerS)))
  }
  const service = new SupervisorProcess({ sessionsPath, env, ...(isReal ? {} : { entry: SUPERVISOR }) })
  const end = async (): Promise<void> => {
    await service.end('SIGTERM')
    await simulator?.end()
    await rm(sessionsPath, { recursive: true, force: true })
  }
  return withCleanup(end, async () => {
    await service.listening()
    if (simulator !== undefined) await pairAll(service, simulator, phones)
    // Those that are like workers come and go from the begin: there may be no moment with all of them up.
    await until(
      'the fleet to be up',
      async () => (await service.dashboard()).summary.connected > count * 0.9,
      undefined,
      CONNECT_DEADLINE_MS,
    )
    say(`${count} accounts are up`)
    await pause(15_000)
    const quietPercent = await cpuPercent(service.pid, pause(seconds * 500))
    const load = loadAverage()
    const mark = service.output.length
    const changing = simulator === undefined ? undefined : dropOnes(simulator, phones, changesPerS)
    const working = runClients({ url: service.url, token: TOKEN, clients, seconds, requestsPerS })
    const watchedPercent = await cpuPercent(service.pid, working)
    const report = await working
    changing?.stop()
    const delays = isReal ? delaysByLog(service, mark, report) : delaysByStamp(report)
    return {
      accounts: count,
      workers: isReal ? 'real' : 'like',
      clients,
      seconds,
      dashboardMs: percentiles(report.requestsMs),
      dashboardBytes: report.dashboardBytes,
      eventDelayMs: percentiles(delays),
      streamBytesPerSAndClient: Math.round(report.streamBytes / clients / seconds),
      streamsLost: report.failed,
      supervisor: {
        cpuPercentQuiet: quietPercent,
        cpuPercentWatched: watchedPercent,
        rssMiB: await rssMiB(service.pid),
      },
      load,
    }
  })
}

function accountsFile(phones: readonly string[]): string {
  const accounts = phones.map((phone, index) => ({
    accountId: accountIdOf('prod', `+${phone}`),
    name: `Branch office ${index + 1}`,
    phone: `+${phone}`,
    desired: 'running',
    purge: false,
    createdAt: '2026-01-01T00:00:00.000Z',
  }))
  return JSON.stringify({ version: 1, accounts })
}

async function pairAll(service: SupervisorProcess, simulator: SimulatorProcess, phones: string[]): Promise<void> {
  const limit = pLimit(4)
  const pairWhole = async (phone: string): Promise<void> => {
    const accountId = await pair(service, simulator, phone)
    await service.account(accountId, ({ status }) => status === 'connected', CONNECT_DEADLINE_MS)
  }
  await Promise.all(phones.map((phone) => limit(() => pairWhole(phone))))
}

/** One connection after another is cut: each drop is some four transitions (gone, waiting, opening, connected). */
function dropOnes(simulator: SimulatorProcess, phones: readonly string[], changesPerS: number): { stop: () => void } {
  let next = 0
  const timer = setInterval(() => void simulator.drop(phones[next++ % phones.length] ?? ''), 4000 / changesPerS)
  return { stop: () => clearInterval(timer) }
}

async function runClients(order: ClientsOrder): Promise<ClientsReport> {
  const child = fork(CLIENTS, [])
  child.send(order)
  const [report] = (await once(child, 'message')) as [ClientsReport]
  return report
}

function delaysByStamp({ seen }: ClientsReport): number[] {
  // A first word has no stamp; one of before the clients began came with the snapshot.
  return seen.flatMap(({ stampMs, atMs }) => (stampMs === null ? [] : [atMs - stampMs]))
}

/** A worker prints a line as it says the same to the supervisor: the first event after it with that status is the one. */
function delaysByLog(service: SupervisorProcess, mark: number, { seen }: ClientsReport): number[] {
  return service.lines(mark).flatMap(({ event, time, accountId, status }) => {
    if (typeof event !== 'string' || !event.startsWith('connection.')) return []
    const saidMs = Date.parse(String(time))
    const arrived = seen.filter(
      (each) =>
        each.accountId === accountId && each.status === status && each.atMs >= saidMs && each.atMs < saidMs + 1000,
    )
    return arrived.map(({ atMs }) => atMs - saidMs)
  })
}

const HEAD = [
  ...['accounts', 'workers', 'dashboard bytes', 'p50/p99 ms', 'events', 'delay p50/p99 ms', 'stream bytes/s each'],
  ...["supervisor's CPU %: nobody looks", 'all look', 'RSS MiB', 'load'],
]

function cellsOf(row: Row): string[] {
  const { accounts, workers, dashboardBytes, dashboardMs, eventDelayMs, streamBytesPerSAndClient, supervisor, load } =
    row
  return [
    String(accounts),
    workers,
    String(dashboardBytes),
    `${dashboardMs.p50}/${dashboardMs.p99}`,
    String(eventDelayMs.n),
    `${eventDelayMs.p50}/${eventDelayMs.p99}`,
    String(streamBytesPerSAndClient),
    String(supervisor.cpuPercentQuiet),
    String(supervisor.cpuPercentWatched),
    String(supervisor.rssMiB),
    load.split(' ')[0] ?? '',
  ]
}

await runBench(USAGE, async () => {
  const options = parseOptions()
  if (options === undefined) return void process.stdout.write(USAGE)
  const rows: Row[] = []
  for (const count of options.accounts) {
    rows.push(await measure(count, options))
    say(markdown(HEAD, rows.slice(-1).map(cellsOf)))
  }
  await publish('api', { rows }, markdown(HEAD, rows.map(cellsOf)), options.json)
})
