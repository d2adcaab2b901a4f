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
import { testPhones } from '../fixtures/paired-fleet.ts'
import { readQr } from '../fixtures/qr-reader.ts'
import { SupervisorProcess, TOKEN } from '../fixtures/supervisor-process.ts'
import { CHANGE_FILE } from './api/change-file.ts'
import type { ClientsOrder, ClientsReport } from './api/clients.ts'
import { until } from '../fixtures/until.ts'
import { cpuS, describeMachine, loadAverage } from './machine.ts'
import { SimulatorProcess } from './simulator-process.ts'

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
const say = (line: string): void => void process.stderr.write(`${line}\n`)

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
  const accounts = values.accounts.split(',').map(Number)
  const [clients = 0, changesPerS = 0, requestsPerS = 0, seconds = 0] = [
    values.clients,
    values.changes,
    values.requests,
    values.seconds,
  ].map(Number)
  const all = [...accounts, clients, changesPerS, requestsPerS, seconds]
  const isWrong = all.some((number) => !Number.isInteger(number) || number < 1 || number > 3600)
  if (values.help || isWrong || !['like', 'real'].includes(values.workers)) return undefined
  return { accounts, isReal: values.workers === 'real', clients, changesPerS, requestsPerS, seconds, json: values.json }
}

/** Sorted by size: of nothing there is nothing. */
function percentiles(values: readonly number[]): {
  n: number
  p50: number | null
  p99: number | null
  max: number | null
} {
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

async function measure(count: number, options: Options): Promise<object> {
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
  // Nothing is left behind by a bench that is ended in the middle.
  const giveUp = (): void => void Promise.all([service.end('SIGKILL'), simulator?.end()]).then(() => process.exit(1))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, giveUp)
  try {
    await service.listening()
    if (simulator !== undefined) await pairAll(service, simulator, phones)
    // Those that are like workers come and go from the begin: there may be no moment with all of them up.
    await until(
      'the fleet to be up',
      async () => (await service.dashboard()).summary.connected > count * 0.9,
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
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, giveUp)
    await service.end('SIGTERM')
    await simulator?.end()
    await rm(sessionsPath, { recursive: true, force: true })
  }
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
  const pair = async (phone: string): Promise<void> => {
    const { accountId, qrCode } = await service.add(phone)
    const picture = qrCode ?? (await service.account(accountId, (account) => account.qrCode !== undefined)).qrCode ?? ''
    await simulator.scan(readQr(picture), phone)
    await service.account(accountId, ({ status }) => status === 'connected', CONNECT_DEADLINE_MS)
  }
  await Promise.all(phones.map((phone) => limit(() => pair(phone))))
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

const options = parseOptions()
if (options === undefined) {
  process.stdout.write(USAGE)
  process.exitCode = 64
} else {
  const rows: object[] = []
  for (const count of options.accounts) {
    const row = await measure(count, options)
    say(JSON.stringify(row))
    rows.push(row)
  }
  const text = `${JSON.stringify({ bench: 'api', machine: describeMachine(), rows }, null, 2)}\n`
  if (options.json === undefined) process.stdout.write(text)
  else await writeFile(options.json, text)
}
