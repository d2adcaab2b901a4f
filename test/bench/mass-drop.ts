import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { pair, testPhones } from '../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../fixtures/supervisor-process.ts'
import { tableOf } from './mass-drop/report.ts'
import { AWAY, measureDrop, type Fleet, type Mode, type Row } from './mass-drop/row.ts'
import { countOf, countsOf, namesOf, publish, runBench, say } from './options.ts'
import { SimulatorProcess } from './simulator-process.ts'
import { withCleanup } from './with-cleanup.ts'

/**
 * Every socket of a fleet is dropped at once: the real service with its real workers, the simulator in a process of its
 * own. One fleet for each number of accounts, all drops one after another, each after a healthy minute: backoffs begin
 * anew.
 */
const USAGE = `Usage: npm run bench -- mass-drop [options]

  --accounts LIST   fleets to measure (30); 200 accounts take about 5 GB of memory
  --outage LIST     seconds for which the server is away; 0: it is healthy at once (0,4,60)
  --modes LIST      how it is away: refused, http503, vanish (all of them)
  --rate N          CONNECT_RATE_MAX of the service (5)
  --settle S        between two drops (65: longer than the healthy minute that ends a row of failures)
  --json FILE       writes the JSON there instead of on standard output

A table goes to standard error as it grows.
`
const PAIR_AT_ONCE = 4
const PAIR_DEADLINE_MS = 180_000

const MOST_ACCOUNTS = 500
const A_DAY_S = 86_400
const MOST_SETTLE_S = 600
const MOST_RATE = 1000

interface Options {
  accounts: number[]
  outages: number[]
  modes: Mode[]
  settleS: number
  rate: number
  json: string | undefined
}

function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      accounts: { type: 'string', default: '30' },
      outage: { type: 'string', default: '0,4,60' },
      modes: { type: 'string', default: 'refused,http503,vanish' },
      rate: { type: 'string', default: '5' },
      settle: { type: 'string', default: '65' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    accounts: countsOf('--accounts', values.accounts, MOST_ACCOUNTS),
    outages: countsOf('--outage', values.outage, A_DAY_S, 0),
    modes: namesOf('--modes', values.modes, AWAY),
    settleS: countOf('--settle', values.settle, MOST_SETTLE_S, 0),
    rate: countOf('--rate', values.rate, MOST_RATE),
    json: values.json,
  }
}

/** Brings a fleet up, and always down again. */
async function withFleet(accounts: number, rate: number, work: (fleet: Fleet) => Promise<void>): Promise<void> {
  const sessionsPath = await mkdtemp(join(tmpdir(), 'mass-drop-'))
  const simulator = await SimulatorProcess.start()
  const service = new SupervisorProcess({
    sessionsPath,
    env: {
      WA_SOCKET_URL: simulator.url,
      WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
      MAX_ACCOUNTS: String(accounts),
      CONNECT_RATE_MAX: String(rate),
      WORKER_BUNDLE: 'on',
    },
  })
  const end = async (): Promise<void> => {
    await service.end('SIGTERM')
    await simulator.end()
    await rm(sessionsPath, { recursive: true, force: true })
  }
  await withCleanup(end, async () => {
    await service.listening()
    const startedMs = performance.now()
    const limit = pLimit(PAIR_AT_ONCE)
    await Promise.all(testPhones(accounts).map((phone) => limit(() => pairWhole(service, simulator, phone))))
    await service.connected(accounts, PAIR_DEADLINE_MS)
    say(`${accounts} accounts paired and connected in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`)
    await work({ service, simulator, accounts })
  })
}

async function pairWhole(service: SupervisorProcess, simulator: SimulatorProcess, phone: string): Promise<void> {
  const accountId = await pair(service, simulator, phone)
  // The next of this lane begins when this one is up: four pairings at a time, however many accounts.
  await service.account(accountId, ({ status }) => status === 'connected', PAIR_DEADLINE_MS)
}

async function run({ accounts, outages, modes, settleS, rate, json }: Options): Promise<void> {
  const rows: Row[] = []
  for (const count of accounts) {
    await withFleet(count, rate, async (fleet) => {
      for (const outageS of outages) {
        for (const mode of outageS === 0 ? (['healthy'] as const) : modes) {
          await pause(settleS * 1000)
          await fleet.service.connected(count, PAIR_DEADLINE_MS)
          rows.push(await measureDrop(fleet, mode, outageS))
          say(tableOf(rows.slice(-1)))
        }
      }
    })
  }
  await publish('mass-drop', { connectRateMax: rate, rows }, tableOf(rows), json)
}

await runBench(USAGE, async () => {
  const options = parseOptions()
  if (options === undefined) process.stdout.write(USAGE)
  else await run(options)
})
