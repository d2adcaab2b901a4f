import { setTimeout as pause } from 'node:timers/promises'
import pLimit from 'p-limit'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { until } from '../../fixtures/until.ts'
import { cpuS, loadAverage, memoryMib } from '../machine.ts'
import type { SimulatorProcess } from '../simulator-process.ts'
import type { Setup, SetupName } from './setup.ts'
import { latencyOf, sendTraffic, type Latency, type Sent } from './traffic.ts'

/** What is measured, in this order; `memory` and `messages` need the traffic, `stop` is at the end in any case. */
export interface Times {
  settleS: number
  trafficS: number
  /** Messages a second to each account. */
  perSecond: number
  /** Every Nth message of the traffic comes in a group; 0 for none. */
  groupEvery: number
  afterS: number
  /** Messages to each account after that, in SOAK_PARTS parts. */
  soakMessages: number
}

interface Memory {
  /** Means over the accounts' processes; where all share one, its whole divided by the accounts. */
  pssMib: number
  ussMib: number
  pssMaxMib: number
  parentPssMib: number | null
}

/** CPU ms a message: a process that is new to it costs more. */
interface MessageCpu {
  parentMs: number
  workersMs: number
}

/** PART_S of the traffic. */
interface TrafficPart extends MessageCpu {
  p99Ms: number | null
  maxMs: number | null
}

/** One setup with so many accounts. CPU in seconds; of all its processes together where nothing else is said. */
export interface Row {
  setup: SetupName
  accounts: number
  pairedS: number
  /** From the start of the first process to the last account connected. */
  allConnectedS: number
  /** Of the parent until all are connected; of a worker from its fork to its own connection, its mean. */
  startCpuS: { parent: number; perAccount: number }
  idle: Memory
  /** Null where it was idle for a moment only. */
  idleCpuSPerMinute: number | null
  traffic: (Memory & { perSecond: number; cpuMsPerMessage: number; parts: TrafficPart[]; latency: Latency }) | null
  afterTraffic: Memory | null
  /** After each part of the soak, when it has been quiet for SOAK_QUIET_S. */
  soak: { messagesEach: number; lost: number; after: Memory[] } | null
  /** From adding an account to its QR code, beside the others: the median of FIRST_QRS, one after another. */
  firstQrS: number
  stopS: number
  load: { before: string; after: string }
}

/** Four pairings at a time, and no start begins before one of these is over. */
const PAIR_AT_ONCE = 4
const CONNECT_DEADLINE_MS = 600_000
/** The idle CPU is counted over this last part of the settling, so without the collection that follows each start. */
const IDLE_WINDOW_S = 60
const LEAST_IDLE_WINDOW_S = 20
const PART_S = 20
const FIRST_QRS = 3
const SOAK_PARTS = 4
/** To all accounts together: what two cores carry with the simulator on them. */
const SOAK_PER_SECOND = 200
/** A worker collects its garbage after 20 s without anything, and looks for it every 10 s. */
const SOAK_QUIET_S = 60

export async function measureFleet(
  setup: Setup,
  simulator: SimulatorProcess,
  accounts: number,
  firstPhone: number,
  times: Times,
): Promise<Row> {
  const before = loadAverage()
  const phones = testPhones(accounts, firstPhone)
  await setup.start()
  const pairingMs = performance.now()
  const limit = pLimit(PAIR_AT_ONCE)
  await Promise.all(phones.map((phone) => limit(() => setup.pair(phone))))
  const pairedS = secondsSince(pairingMs)
  await setup.stop()

  const startMs = performance.now()
  await setup.start()
  await until(
    'all to connect',
    () => setup.connected() >= accounts,
    () => String(setup.connected()),
    CONNECT_DEADLINE_MS,
  )
  const allConnectedS = (Math.max(...setup.connectedAtMs.values()) - (performance.timeOrigin + startMs)) / 1000
  const startCpu = cpuOf(setup)
  const { workers } = setup.pids()
  const forkedToConnectedS = sumOf(phones.map((phone) => setup.connectedCpuS.get(phone) ?? 0))
  // Where all share one process, nobody's part can be told from another's.
  const startedS = workers.length === accounts ? forkedToConnectedS : startCpu.workers

  const windowS = Math.min(IDLE_WINDOW_S, times.settleS / 2)
  await pause((times.settleS - windowS) * 1000)
  const idleFrom = cpuOf(setup)
  await pause(windowS * 1000)
  const idleCpuS = total(cpuOf(setup)) - total(idleFrom)
  const idle = memoryOf(setup, accounts)

  let traffic: Row['traffic'] = null
  let afterTraffic: Memory | null = null
  if (times.trafficS > 0) {
    const { groupEvery, perSecond } = times
    // Sessions with the contacts begin before what is counted, and so do the keys of those who write in groups.
    await sendTraffic(simulator, { phones, perSecond: 1, seconds: 10 * Math.max(1, groupEvery), groupEvery })
    await pause(2000)
    const from = cpuOf(setup)
    const sent: Sent[] = []
    const counted: { cpu: MessageCpu; part: Sent[] }[] = []
    for (let leftS = times.trafficS; leftS > 0; leftS -= PART_S) {
      const before = cpuOf(setup)
      const seconds = Math.min(PART_S, leftS)
      const part = await sendTraffic(simulator, { phones, perSecond, seconds, groupEvery })
      const after = cpuOf(setup)
      const each = (name: keyof Cpu): number => round(((after[name] - before[name]) * 1000) / part.length)
      counted.push({ cpu: { parentMs: each('parent'), workersMs: each('workers') }, part })
      sent.push(...part)
    }
    const memory = memoryOf(setup, accounts)
    await pause(3000)
    const cpuMs = (total(cpuOf(setup)) - total(from)) * 1000
    const latency = latencyOf(setup, sent)
    const parts = counted.map(({ cpu, part }) => {
      const { p99Ms, maxMs } = latencyOf(setup, part)
      return { ...cpu, p99Ms, maxMs }
    })
    traffic = { ...memory, perSecond, cpuMsPerMessage: round(cpuMs / sent.length), parts, latency }
    await pause(times.afterS * 1000)
    afterTraffic = memoryOf(setup, accounts)
  }
  const soak = times.soakMessages > 0 ? await soakFleet(setup, simulator, phones, times.soakMessages) : null
  const firstQrS = await measureFirstQr(setup, testPhones(FIRST_QRS, firstPhone + accounts))
  const stopMs = performance.now()
  await setup.stop()
  return {
    setup: setup.name,
    accounts,
    pairedS: round(pairedS),
    allConnectedS: round(allConnectedS),
    startCpuS: { parent: round(startCpu.parent), perAccount: round(startedS / accounts, 3) },
    idle,
    idleCpuSPerMinute: windowS < LEAST_IDLE_WINDOW_S ? null : round((idleCpuS * 60) / windowS),
    traffic,
    afterTraffic,
    soak,
    firstQrS,
    stopS: round(secondsSince(stopMs)),
    load: { before, after: loadAverage() },
  }
}

async function measureFirstQr(setup: Setup, phones: readonly string[]): Promise<number> {
  const took: number[] = []
  for (const phone of phones) {
    const fromMs = performance.now()
    await setup.firstQr(phone)
    took.push(secondsSince(fromMs))
  }
  return round(took.sort((a, b) => a - b)[Math.floor(took.length / 2)] ?? 0)
}

async function soakFleet(
  setup: Setup,
  simulator: SimulatorProcess,
  phones: readonly string[],
  messages: number,
): Promise<Row['soak']> {
  const perSecond = SOAK_PER_SECOND / phones.length
  const after: Memory[] = []
  let lost = 0
  for (let part = 0; part < SOAK_PARTS; part++) {
    const sent = await sendTraffic(simulator, { phones, perSecond, seconds: messages / SOAK_PARTS / perSecond })
    await pause(SOAK_QUIET_S * 1000)
    lost += latencyOf(setup, sent).lost
    after.push(memoryOf(setup, phones.length))
  }
  return { messagesEach: messages, lost, after }
}

function memoryOf(setup: Setup, accounts: number): Memory {
  const { parent, workers } = setup.pids()
  const each = workers.flatMap((pid) => memoryMib(pid) ?? [])
  if (each.length < workers.length) throw new Error(`${workers.length - each.length} processes ended meanwhile.`)
  const sum = (name: 'pss' | 'uss'): number => sumOf(each.map((memory) => memory[name]))
  return {
    pssMib: round(sum('pss') / accounts),
    ussMib: round(sum('uss') / accounts),
    pssMaxMib: round(Math.max(...each.map(({ pss }) => pss))),
    parentPssMib: parent === undefined ? null : round(memoryMib(parent)?.pss ?? 0),
  }
}

interface Cpu {
  parent: number
  workers: number
}

function cpuOf(setup: Setup): Cpu {
  const { parent, workers } = setup.pids()
  return { parent: parent === undefined ? 0 : cpuS(parent), workers: sumOf(workers.map(cpuS)) }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((so, value) => so + value, 0)
}

function total({ parent, workers }: Cpu): number {
  return parent + workers
}

function secondsSince(ms: number): number {
  return (performance.now() - ms) / 1000
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}
