import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import pLimit from 'p-limit'
import { testPhones } from '../fixtures/paired-fleet.ts'
import { until } from '../fixtures/until.ts'
import { withSetup } from './fleet/make-setup.ts'
import { SETUPS, type Setup, type SetupName } from './fleet/setup.ts'
import { latencyOf, sendTraffic, type Latency, type Sent } from './fleet/traffic.ts'
import { loadAverage } from './machine.ts'
import { countOf, markdown, namesOf, publish, runBench, say } from './options.ts'
import type { SimulatorProcess } from './simulator-process.ts'

/**
 * One account gets into trouble, while all others get a message a second: how soon the one is back, and what the others
 * notice. In a process of many accounts the trouble of one is that of all.
 */
const TROUBLES = {
  none: 'nothing happens',
  killed: 'its process is killed (kill -9), as the kernel does when memory runs out',
  out_of_memory: 'its process gets no memory any more (a limit below what it has), and its contacts write',
  hung: 'its event loop stands still for 5 s (SIGSTOP of its process)',
  corrupt: 'a frame comes that can not be decrypted',
  dropped: 'every connection of all accounts is cut at once, and the server is there: "back" is the last of them',
  flooded: 'its contacts write so many messages a second (--flood), or as many as the simulator can, for 10 s',
} as const
type Trouble = keyof typeof TROUBLES

const run = promisify(execFile)

const USAGE = `Usage: npm run bench -- recover [options]

  --accounts N      how many accounts, the one in trouble included (30)
  --setups LIST     what to compare: ${Object.keys(SETUPS).join(', ')} (all but process-each)
  --troubles LIST   ${Object.keys(TROUBLES).join(', ')} (all of them)
  --flood N         messages a second to the one that is flooded (500)
  --quick           8 accounts
  --json FILE       writes the JSON there instead of on standard output
`
const MOST_ACCOUNTS = 500
const FIRST_PHONE = 40_701_000_001
const WATCH_S = 20
const HANG_MS = 5000
/** What the sending side here can do. */
const MOST_FLOOD_PER_S = 800
const FLOOD_S = 10
const BACK_DEADLINE_MS = 60_000

interface Row {
  setup: SetupName
  accounts: number
  trouble: Trouble
  /** From the trouble to the account's next login, or to the last one's; null where its connection was never lost. */
  backS: number | null
  others: Latency
  /** Accounts that had to log in again, the one in trouble included. */
  loggedInAgain: number
  floodedPerS: number | null
  load: string
}

async function measure(
  setup: Setup,
  simulator: SimulatorProcess,
  phones: string[],
  trouble: Trouble,
  floodPerS: number,
): Promise<Row> {
  const [victim = '', ...others] = phones
  const connectedBefore = new Map(setup.connectedAtMs)
  const atMs = Date.now()
  const traffic = sendTraffic(simulator, { phones: others, perSecond: 1, seconds: WATCH_S })
  await pause(2000)
  const troubleMs = Date.now()
  let flood: Sent[] = []
  let short: number | undefined
  switch (trouble) {
    case 'killed':
      process.kill(setup.pidOf(victim), 'SIGKILL')
      break
    case 'out_of_memory':
      short = setup.pidOf(victim)
      await run('prlimit', [`--pid=${short}`, '--as=1000000:unlimited'])
      // The first allocation that fails ends it; what is sent then comes after its return.
      await sendTraffic(simulator, { phones: [victim], perSecond: 20, seconds: 2 })
      break
    case 'hung': {
      const pid = setup.pidOf(victim)
      process.kill(pid, 'SIGSTOP')
      await pause(HANG_MS)
      process.kill(pid, 'SIGCONT')
      break
    }
    case 'corrupt':
      await simulator.inject({ kind: 'corrupt_frame', phone: victim })
      break
    case 'dropped':
      await simulator.dropAll()
      break
    case 'flooded':
      flood = await sendTraffic(simulator, { phones: [victim], perSecond: floodPerS, seconds: FLOOD_S })
      break
    case 'none':
      break
    default:
      trouble satisfies never
  }
  const loses = ['killed', 'out_of_memory', 'corrupt', 'dropped'].includes(trouble)
  const struck = trouble === 'dropped' ? phones : [victim]
  const back = (): number | undefined => {
    const seenMs = struck.map((phone) => setup.connectedAtMs.get(phone) ?? 0)
    return Math.min(...seenMs) > troubleMs ? Math.max(...seenMs) : undefined
  }
  const backAtMs = loses
    ? await until('the account to be back', back, undefined, BACK_DEADLINE_MS).catch(() => undefined)
    : back()
  const sent = await traffic
  // Where nobody died of it, what comes next has memory again.
  if (short !== undefined && setup.pidOf(victim) === short)
    await run('prlimit', [`--pid=${short}`, '--as=unlimited:unlimited'])
  await pause(5000)
  const floodMs = Math.max(0, ...flood.map((one) => one.atMs)) - troubleMs
  return {
    setup: setup.name,
    accounts: phones.length,
    trouble,
    backS: backAtMs === undefined ? null : (backAtMs - troubleMs) / 1000,
    others: latencyOf(setup, sent),
    loggedInAgain: phones.filter(
      (phone) => (setup.connectedAtMs.get(phone) ?? 0) > Math.max(atMs, connectedBefore.get(phone) ?? 0),
    ).length,
    floodedPerS: flood.length === 0 ? null : Math.round((flood.length * 1000) / floodMs),
    load: loadAverage(),
  }
}

const HEAD = [
  'setup',
  'accounts',
  'trouble',
  'back after s',
  "others' p50/p99/max ms",
  'p99 of the service alone',
  'lost',
  'logged in again',
  'load',
]
const cellsOf = (row: Row): string[] => [
  row.setup,
  String(row.accounts),
  row.trouble + (row.floodedPerS === null ? '' : ` (${row.floodedPerS}/s)`),
  row.backS === null ? '' : String(row.backS),
  `${row.others.p50Ms}/${row.others.p99Ms}/${row.others.maxMs}`,
  String(row.others.p99OfServiceMs),
  String(row.others.lost),
  String(row.loggedInAgain),
  row.load.split(' ')[0] ?? '',
]

await runBench(USAGE, async () => {
  const { values } = parseArgs({
    options: {
      accounts: { type: 'string' },
      setups: { type: 'string', default: 'bundled,unbundled,one-process' },
      flood: { type: 'string', default: '500' },
      troubles: { type: 'string', default: Object.keys(TROUBLES).join(',') },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const accounts = countOf('--accounts', values.accounts ?? (values.quick ? '8' : '30'), MOST_ACCOUNTS)
  const floodPerS = countOf('--flood', values.flood, MOST_FLOOD_PER_S)
  const troubles = namesOf('--troubles', values.troubles, TROUBLES)
  const rows: Row[] = []
  for (const [at, name] of namesOf('--setups', values.setups, SETUPS).entries()) {
    say(`${name}, ${accounts} accounts ...`)
    await withSetup(name, async (setup, simulator) => {
      const phones = testPhones(accounts, FIRST_PHONE + at * 1000)
      await setup.start()
      const limit = pLimit(4)
      await Promise.all(phones.map((phone) => limit(() => setup.pair(phone))))
      await sendTraffic(simulator, { phones, perSecond: 1, seconds: 10 })
      for (const trouble of troubles) {
        rows.push(await measure(setup, simulator, phones, trouble, floodPerS))
        say(markdown(HEAD, rows.slice(-1).map(cellsOf)))
      }
    })
  }
  await publish('recover', { troubles: TROUBLES, floodPerS, rows }, markdown(HEAD, rows.map(cellsOf)), values.json)
})
