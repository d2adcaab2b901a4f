import { parseArgs } from 'node:util'
import { withSetup } from './fleet/make-setup.ts'
import { measureFleet, type Row, type Times } from './fleet/row.ts'
import { SETUPS } from './fleet/setup.ts'
import { countOf, countsOf, markdown, namesOf, publish, runBench, say, UsageError } from './options.ts'

type Phase = Omit<Times, 'perSecond' | 'groupEvery' | 'soakMessages'>

/**
 * What accounts cost that are really logged in: memory and CPU of a start, of idling and of traffic, latency, the end.
 * The same accounts and the same traffic for each setup, one setup after another, each with a simulator of its own.
 * The names of the bench only differ in what they leave out.
 */
const PHASES = {
  memory: { settleS: 120, trafficS: 60, afterS: 60 },
  start: { settleS: 2, trafficS: 0, afterS: 0 },
  messages: { settleS: 10, trafficS: 60, afterS: 5 },
  stop: { settleS: 10, trafficS: 0, afterS: 0 },
} as const satisfies Record<string, Phase>
const QUICK: Readonly<Record<keyof typeof PHASES, Phase>> = {
  memory: { settleS: 45, trafficS: 20, afterS: 45 },
  start: { settleS: 2, trafficS: 0, afterS: 0 },
  messages: { settleS: 2, trafficS: 20, afterS: 1 },
  stop: { settleS: 2, trafficS: 0, afterS: 0 },
}

const USAGE = `Usage: npm run bench -- memory|start|messages|stop [options]

  --accounts LIST   how many accounts (30); 200 of "unbundled" or "process-each" take 15 GB of memory
  --setups LIST     what to compare (all of them):
${Object.entries(SETUPS)
  .map(([name, is]) => `                      ${name.padEnd(13)} ${is}`)
  .join('\n')}
  --soak COUNT      so many messages more to each account, 200 a second to all together; memory after each quarter
  --seconds COUNT   so many seconds of traffic (60), where the bench has traffic; the JSON has each 20 s of them
  --rate N          messages a second to each account in it (1)
  --groups N        every Nth message comes in a group (none does); the keys are handed out in N times 10 s before it
  --quick           shorter waits and 10 accounts: to see that it works, and roughly what comes out
  --json FILE       writes the JSON there instead of on standard output

The table goes to standard error. memory: two minutes idle (the CPU is that of the second), 60 s with a message a second to each account,
60 s idle.
`
const MOST_ACCOUNTS = 500
const MOST_SOAKED = 999_999
const MOST_TRAFFIC_S = 7200
const MOST_RATE = 100
/** Each 20 s of traffic begin anew: beyond that it would always be the same accounts. */
const MOST_GROUP_EVERY = 20

/** Numbers that no account of another row has. */
const FIRST_PHONE = 40_700_000_001
const PHONES_APART = 1000

const HEAD = [
  ...['setup', 'accounts', 'connected after s', 'CPU s a start', 'idle MiB', 'max', 'parent MiB', 'idle CPU s/min'],
  ...['traffic MiB', 'CPU ms/message', 'p50/p99 ms', 'lost', 'afterwards MiB', 'soak MiB'],
  ...['first QR s', 'stop s', 'load'],
]

function cellsOf(row: Row): string[] {
  const { traffic, idle } = row
  return [
    row.setup,
    String(row.accounts),
    String(row.allConnectedS),
    String(row.startCpuS.perAccount),
    String(idle.pssMib),
    String(idle.pssMaxMib),
    idle.parentPssMib === null ? '' : String(idle.parentPssMib),
    row.idleCpuSPerMinute === null ? '' : String(row.idleCpuSPerMinute),
    traffic === null ? '' : String(traffic.pssMib),
    traffic === null ? '' : String(traffic.cpuMsPerMessage),
    traffic === null ? '' : `${traffic.latency.p50Ms}/${traffic.latency.p99Ms}`,
    traffic === null ? '' : String(traffic.latency.lost),
    row.afterTraffic === null ? '' : String(row.afterTraffic.pssMib),
    row.soak === null ? '' : row.soak.after.map(({ pssMib }) => pssMib).join(', '),
    String(row.firstQrS),
    String(row.stopS),
    row.load.after.split(' ')[0] ?? '',
  ]
}

const [name = 'memory', ...args] = process.argv.slice(2)

await runBench(USAGE, async () => {
  const { values } = parseArgs({
    args,
    options: {
      accounts: { type: 'string' },
      setups: { type: 'string', default: Object.keys(SETUPS).join(',') },
      soak: { type: 'string' },
      seconds: { type: 'string' },
      rate: { type: 'string' },
      groups: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const phase = name as keyof typeof PHASES
  const soakMessages = values.soak === undefined ? 0 : countOf('--soak', values.soak, MOST_SOAKED)
  const usual = values.quick ? QUICK[phase] : PHASES[phase]
  const trafficS = values.seconds === undefined ? usual.trafficS : countOf('--seconds', values.seconds, MOST_TRAFFIC_S)
  const groupEvery = values.groups === undefined ? 0 : countOf('--groups', values.groups, MOST_GROUP_EVERY)
  const perSecond = values.rate === undefined ? 1 : countOf('--rate', values.rate, MOST_RATE)
  if (usual.trafficS === 0 && [values.seconds, values.groups, values.rate].some((value) => value !== undefined)) {
    throw new UsageError(
      `--seconds, --rate and --groups are about traffic, and "${name}" has none: use memory or messages.`,
    )
  }
  const times = { ...usual, trafficS, perSecond, groupEvery, soakMessages }
  const counts = countsOf('--accounts', values.accounts ?? (values.quick ? '10' : '30'), MOST_ACCOUNTS)
  const setups = namesOf('--setups', values.setups, SETUPS)
  const rows: Row[] = []
  for (const accounts of counts) {
    for (const setup of setups) {
      say(`${setup}, ${accounts} accounts ...`)
      const firstPhone = FIRST_PHONE + rows.length * PHONES_APART
      rows.push(await withSetup(setup, (made, simulator) => measureFleet(made, simulator, accounts, firstPhone, times)))
      say(markdown(HEAD, rows.slice(-1).map(cellsOf)))
    }
  }
  await publish(name, { quick: values.quick, times, rows }, markdown(HEAD, rows.map(cellsOf)), values.json)
})
