import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { messageOf } from '../../shared/errors.ts'
import { testPhones } from '../fixtures/paired-fleet.ts'
import { withService } from './fleet/make-setup.ts'
import type { ServiceSetup } from './fleet/service.ts'
import { latencyOf, sendTraffic, type Latency } from './fleet/traffic.ts'
import { cpuS, loadAverage } from './machine.ts'
import { MemoryLimit, type MemoryUse } from '../fixtures/memory-limit.ts'
import { countOf, markdown, publish, runBench, say, UsageError } from './options.ts'
import type { SimulatorProcess } from './simulator-process.ts'

/**
 * Where a machine ends. The service gets as much memory as a small machine would give it, and more accounts, step by
 * step, which pair, are quiet for a while, and get messages. It is over when an account does not pair, is not connected
 * then, or a message does not come; after that it is looked at for a minute more.
 */
const USAGE = `Usage: npm run bench -- limit [options]     as root

  --memory MIB      what the service may have, the kernel's memory for it included (3500: 4 GB without the system)
  --from N          accounts to begin with (100)
  --step N          accounts that are added each time (20)
  --up-to N         where it ends in any case (400)
  --every S         seconds between two messages to an account (10)
  --json FILE       writes the JSON there instead of on standard output
`
const FIRST_PHONE = 40_702_000_001
const PAIR_AT_ONCE = 4
/** A worker may be killed while its code is on the screen: whoever pairs scans the next one. */
const SCANS = 3
/** A worker collects what its pairing left after 20 s without anything, and looks for that every 10 s. */
const QUIET_S = 40
const LEAST_TRAFFIC_S = 30
const LATE_MS = 5000
const AFTERMATH_S = 60

interface Row extends MemoryUse {
  accounts: number
  /** Of those, the ones that could not be added. */
  notPaired: number
  /** When the messages have been sent. */
  connected: number
  /** What can't be given back, of all, divided by the accounts. */
  eachMib: number
  /** Of the service, while messages came: percent of one core. */
  cpuPercent: number
  latency: Latency
  load: string
}

interface Aftermath {
  /** Processes that were killed in this minute. */
  kills: number
  connected: number
  /** The supervisor is the process that it was at the begin. */
  supervisorLives: boolean
  /** What the dashboard says is wrong with all of them. */
  trouble: string | null
}

async function measureStep(
  service: ServiceSetup,
  simulator: SimulatorProcess,
  memory: MemoryLimit,
  step: { phones: string[]; fresh: string[]; everyS: number },
): Promise<Row> {
  const { phones, fresh, everyS } = step
  const { kills } = memory.read()
  const limit = pLimit(PAIR_AT_ONCE)
  const left = new Set(fresh)
  const pair = async (phone: string): Promise<void> => {
    for (let scan = 1; scan <= SCANS && left.has(phone); scan++) {
      const failure = await service.pair(phone).then(() => undefined, messageOf)
      if (failure === undefined) left.delete(phone)
      else say(`Account ${phones.indexOf(phone) + 1}, scan ${scan}: ${failure}`)
      // The service says itself that there is no room.
      if (failure?.includes('out_of_memory')) return
    }
  }
  await Promise.all(fresh.map((phone) => limit(() => pair(phone))))
  const paired = phones.filter((phone) => !left.has(phone))
  await pause(QUIET_S * 1000)
  const cpu = (): number => {
    const { parent, workers } = service.pids()
    return [parent, ...workers].reduce((so, pid) => so + cpuS(pid), 0)
  }
  const seconds = Math.max(LEAST_TRAFFIC_S, 3 * everyS)
  const before = cpu()
  const sent = await sendTraffic(simulator, { phones: paired, perSecond: 1 / everyS, seconds })
  const cpuPercent = Math.round(((cpu() - before) / seconds) * 100)
  const use = memory.read()
  await pause(LATE_MS)
  const { summary } = await service.dashboard()
  return {
    accounts: phones.length,
    notPaired: left.size,
    connected: summary.connected,
    ...use,
    kills: use.kills - kills,
    eachMib: Number(((use.anonymousMib + use.kernelMib) / Math.max(1, paired.length)).toFixed(2)),
    cpuPercent,
    latency: latencyOf(service, sent),
    load: loadAverage(),
  }
}

async function watchAftermath(service: ServiceSetup, memory: MemoryLimit): Promise<Aftermath> {
  const { parent } = service.pids()
  const { kills } = memory.read()
  await pause(AFTERMATH_S * 1000)
  const seen = await service.dashboard().catch(() => undefined)
  return {
    kills: memory.read().kills - kills,
    connected: seen?.summary.connected ?? 0,
    supervisorLives: cpuS(parent) > 0,
    trouble: seen?.trouble?.message ?? null,
  }
}

const HEAD = [
  ...['accounts', 'processes MiB', 'kernel MiB', 'of an account MiB', 'files MiB', 'CPU % of a core'],
  ...['p50/p99 ms', 'lost', 'not paired', 'connected', 'killed', 'load'],
]
const cellsOf = (row: Row): string[] => [
  String(row.accounts),
  String(row.anonymousMib),
  String(row.kernelMib),
  String(row.eachMib),
  String(row.fileMib),
  String(row.cpuPercent),
  `${row.latency.p50Ms}/${row.latency.p99Ms}`,
  String(row.latency.lost),
  String(row.notPaired),
  String(row.connected),
  String(row.kills),
  row.load.split(' ')[0] ?? '',
]

await runBench(USAGE, async () => {
  const { values } = parseArgs({
    options: {
      memory: { type: 'string', default: '3500' },
      from: { type: 'string', default: '100' },
      step: { type: 'string', default: '20' },
      'up-to': { type: 'string', default: '400' },
      every: { type: 'string', default: '10' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const memoryMib = countOf('--memory', values.memory, 999_999, 200)
  const from = countOf('--from', values.from, 900)
  const step = countOf('--step', values.step, 900)
  const upTo = countOf('--up-to', values['up-to'], 900)
  const everyS = countOf('--every', values.every, 600)
  if (upTo < from) throw new UsageError(`--up-to is ${upTo}, and --from ${from}: use as many or more.`)
  const memory = new MemoryLimit(memoryMib)
  const rows: Row[] = []
  let aftermath: Aftermath | undefined
  try {
    await withService(
      (pid) => memory.add(pid),
      async (service, simulator) => {
        await service.start()
        for (let accounts = from; accounts <= upTo; accounts += step) {
          const phones = testPhones(accounts, FIRST_PHONE)
          const fresh = phones.slice(rows.at(-1)?.accounts ?? 0)
          const row = await measureStep(service, simulator, memory, { phones, fresh, everyS })
          rows.push(row)
          say(markdown(HEAD, [cellsOf(row)]))
          if (row.notPaired + row.latency.lost > 0 || row.connected < accounts) break
        }
        aftermath = await watchAftermath(service, memory)
        say(JSON.stringify(aftermath))
      },
    )
  } finally {
    await memory.remove().catch((error: unknown) => say(messageOf(error)))
  }
  await publish('limit', { memoryMib, everyS, rows, aftermath }, markdown(HEAD, rows.map(cellsOf)), values.json)
})
