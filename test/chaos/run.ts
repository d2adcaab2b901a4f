import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../shared/errors.ts'
import { pairAll, testPhones } from '../fixtures/paired-fleet.ts'
import { isAlive } from '../fixtures/supervisor-process.ts'
import { until } from '../fixtures/until.ts'
import { startSimulator, type Simulator } from '../simulator/simulator.ts'
import { ACCOUNT_KINDS } from './actions.ts'
import { calm } from './calm.ts'
import { carryOut, type Field } from './carry-out.ts'
import { ChaosService } from './chaos-service.ts'
import type { AccountEvidence, Evidence } from './evidence.ts'
import { Healing } from './healing.ts'
import { judge } from './judge.ts'
import { MemoryWatch } from './memory.ts'
import { Operator } from './operator.ts'
import { nameOf, plan } from './plan.ts'
import { workersOf } from './processes.ts'
import type { Report } from './report.ts'
import { ServiceLog } from './service-log.ts'
import { damageOf, identityOf, setAsideOf } from './sessions.ts'
import { openDisk } from './small-disk.ts'
import { Traffic } from './traffic.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly accounts: number
  readonly minutes: number
  /** Gets one line per action, and what came of it. */
  readonly say: (line: string) => void
  /** Gets each line that the service printed, and one for each event of the simulator. */
  readonly onLog?: (line: string) => void
  /** Ends the run before its time: all is taken away, and it rejects. */
  readonly signal?: AbortSignal
}

/**
 * From the last fault's end to the verdict. A frozen connection is found within 45 s, a backoff is 30 s at most, a query
 * that is never answered takes 20 s: twice the sum of a bad row of them, and still a time in which a person would wait.
 */
const CALM_LIMIT_MS = 180_000
const MEMORY_GAP_MS = 2_000
/** What is left of a service that has ended cleanly has at most this long to go. */
const LEFTOVER_MS = 3_000
const OPERATOR_KINDS = new Set(ACCOUNT_KINDS.filter(({ operator }) => operator).map(({ name }) => name))

/** A run from the empty directory to the verdicts; leaves nothing behind. Rejects when it could not even begin. */
export async function runChaos(options: ChaosOptions): Promise<Report> {
  const { accounts, say } = options
  const disk = openDisk(accounts)
  const log = new ServiceLog()
  let simulator: Simulator | undefined
  let service: ChaosService | undefined
  const accountIds = new Set<string>()
  try {
    if (disk.fill === undefined) say(`No full disk in this run: ${disk.why}.`)
    simulator = await startSimulator(options.onLog ? { log: options.onLog } : {})
    service = new ChaosService({
      sessionsPath: disk.sessionsPath,
      cwd: disk.sessionsPath,
      env: {
        WA_SOCKET_URL: simulator.url,
        // A slow machine with all of it at once: what is killed for its slowness is nobody's fault.
        SHUTDOWN_TIMEOUT_MS: '60000',
        WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
        MAX_ACCOUNTS: String(accounts),
        LOG_LEVEL: 'debug',
        HEALTH_CHECK_INTERVAL_MS: '2000',
        STALE_CONNECTION_THRESHOLD_MS: '10000',
      },
      onLine: (line) => {
        log.read(line)
        options.onLog?.(line)
      },
    })
    const aborted = rejectOn(options.signal)
    await service.start()
    const phones = testPhones(accounts)
    const ids = await Promise.race([aborted, pairAll(service.current, simulator, phones)])
    for (const id of ids) accountIds.add(id)
    await service.current.connected(accounts)
    const idOf = new Map(phones.map((phone, index) => [phone, ids[index] ?? '']))
    const traffic = new Traffic(simulator, phones)
    return await Promise.race([aborted, unleash(options, { simulator, service, disk, traffic, accountIds: idOf }, log)])
  } finally {
    await service?.destroy()
    for (const { pid } of workersOf(accountIds, disk.sessionsPath)) process.kill(pid, 'SIGKILL')
    await simulator?.close()
    disk.remove()
  }
}

async function unleash(options: ChaosOptions, field: Field, log: ServiceLog): Promise<Report> {
  const { seed, accounts, minutes } = options
  const { simulator, service, disk, traffic, accountIds } = field
  const phones = [...accountIds.keys()]
  const ids = new Set(accountIds.values())
  const found = workersOf(ids, disk.sessionsPath).length
  if (found < accounts)
    throw new Error(`${found} workers of ${accounts} are found: the rest would be spared every fault.`)
  const before = new Map(phones.map((phone) => [phone, identityOf(disk.sessionsPath, accountIds.get(phone) ?? '')]))
  const startedMs = performance.now()
  const nowMs = (): number => performance.now() - startedMs
  const say = (line: string): void => options.say(`${(nowMs() / 1000).toFixed(1).padStart(6)} s  ${line}`)
  const healing = new Healing()
  const receipted = new Set<string>()
  const reconnects = new Map<string, number>()
  simulator.on((event) => {
    if (event.type === 'receipt.received' && event.receipt !== 'retry') receipted.add(event.messageId)
    if (event.type === 'connection.closed' && event.phone !== undefined) healing.closed(event.phone, nowMs())
    if (event.type !== 'device.online') return
    healing.online(event.phone, nowMs())
    reconnects.set(event.phone, (reconnects.get(event.phone) ?? 0) + 1)
  })
  const memory = new MemoryWatch(
    () => [
      { pid: service.current.pid, role: 'supervisor' as const },
      ...workersOf(ids, disk.sessionsPath).map(({ pid }) => ({ pid, role: 'worker' as const })),
    ],
    MEMORY_GAP_MS,
  )
  const operator = new Operator(service, new Map(phones.map((phone) => [accountIds.get(phone) ?? '', phone])), say)
  const troubles: string[] = []

  traffic.start()
  const actions = plan(seed, accounts, minutes)
  const unlinked = new Set<string>()
  const under: Promise<void>[] = []
  for (const action of actions) {
    await pause(Math.max(0, action.atMs - nowMs()))
    const { name, phone, act } = action
    if (phone !== null && OPERATOR_KINDS.has(name)) operator.allow(phone)
    if (act.do === 'unlink' && phone !== null) unlinked.add(phone)
    say(`${nameOf(phone).padEnd(11)} ${name}`)
    healing.begin(phone === null ? phones.filter((phone) => !unlinked.has(phone)) : [phone], nowMs())
    const done = carryOut(action, field).then(
      (remark) => (remark === '' ? undefined : say(`${nameOf(phone).padEnd(11)} ${name}: ${remark}`)),
      (error: unknown) => void troubles.push(`${name}: ${messageOf(error)}`),
    )
    under.push(done)
  }
  await Promise.all(under)
  simulator.clearFaults()
  disk.free()
  await traffic.finish()
  say('All faults are over: waiting for calm.')
  const calmAfterMs = await calm(field, unlinked, receipted, CALM_LIMIT_MS)
  await operator.stop()
  memory.stop()
  const rows = (await service.look()) ?? []
  const exitCode = await service.stop()
  const left = await leftovers(service, ids, disk.sessionsPath)
  const evidence: Evidence = {
    accounts: await Promise.all(
      phones.map(async (phone): Promise<AccountEvidence> => {
        const accountId = accountIds.get(phone) ?? ''
        const row = rows.find((row) => row.accountId === accountId)
        return {
          phone,
          accountId,
          unlinked: unlinked.has(phone),
          status: row?.status ?? 'unknown',
          reason: row?.reason ?? null,
          identityBefore: before.get(phone) ?? null,
          identityAfter: identityOf(disk.sessionsPath, accountId),
          setAside: setAsideOf(disk.sessionsPath, accountId),
          damage: await damageOf(disk.sessionsPath, accountId),
        }
      }),
    ),
    calmAfterMs,
    calmLimitMs: CALM_LIMIT_MS,
    sent: traffic.sent,
    receipted,
    received: log.received,
    exitCode,
    processesLeft: left,
    memory: memory.samples,
    log: log.evidence(),
    troubles: [
      ...troubles,
      ...operator.troubles,
      ...traffic.errors,
      ...service.failedStarts.map((why) => `a start failed: ${why}`),
    ],
  }
  return {
    seed,
    accounts,
    minutes,
    actions: actions.map((action, index) => ({ ...action, healing: healing.of(index) })),
    operatorRestarts: [...operator.restarts.values()].reduce((sum, count) => sum + count, 0),
    reconnects: [...reconnects.values()].reduce((sum, count) => sum + count, 0),
    changes: Object.fromEntries(log.changes),
    complaints: Object.fromEntries(log.complaints),
    tornLines: log.torn.length,
    messages: traffic.sent.length,
    tookMs: nowMs(),
    verdicts: judge(evidence),
  }
}

/** Processes of this run that did not go by themselves. */
async function leftovers(service: ChaosService, ids: ReadonlySet<string>, directory: string): Promise<string[]> {
  const look = (): string[] => [
    ...service.pids.filter(isAlive).map((pid) => `supervisor ${pid}`),
    ...workersOf(ids, directory).map(({ pid, accountId }) => `worker ${pid} of ${accountId}`),
  ]
  await until('every process to end', () => look().length === 0, undefined, LEFTOVER_MS).catch(() => undefined)
  return look()
}

function rejectOn(signal: AbortSignal | undefined): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('The run was ended before its time.')), { once: true })
  })
  // It may come when nobody waits for it.
  aborted.catch(() => undefined)
  return aborted
}
