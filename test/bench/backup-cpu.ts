import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { knownPid } from '../fixtures/known-pid.ts'
import { freePort } from '../fixtures/firestore-emulator.ts'
import { testPhones } from '../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../fixtures/supervisor-process.ts'
import { until } from '../fixtures/until.ts'
import { SESSION_FILE } from './backup-cpu/session-file.ts'
import { cpuS, loadAverage } from './machine.ts'
import { countOf, markdown, namesOf, publish, runBench } from './options.ts'
import { logOf } from './session-log.ts'
import { withCleanup } from './with-cleanup.ts'

/**
 * What backups cost the supervisor: the real service with the times of production, a Firestore over gRPC in a process of its
 * own, and workers that only say what real ones say (backup-cpu/worker.ts). Each account has the used session of `backup`
 * (200 peers, 20 groups; 1 MB). The CPU is that of the supervisor's process, with the threads that seal.
 */
const USAGE = `Usage: npm run bench -- backup-cpu [options]

  --accounts N      (30)
  --backups LIST    on, off (both, each with a service of its own)
  --seconds S       of each measurement (60)
  --settle S        before each (20)
  --json FILE       writes the JSON there instead of on standard output
`

const EMULATOR = fileURLToPath(new URL('../fixtures/firestore-emulator-process.js', import.meta.url))
const SUPERVISOR = new URL('./backup-cpu/supervisor.js', import.meta.url)

const BACKUPS = { on: 'to a Firestore', off: 'none' } as const
const MOST_ACCOUNTS = 1000
const MOST_S = 3600

interface Options {
  accounts: number
  backups: (keyof typeof BACKUPS)[]
  seconds: number
  settleS: number
  json: string | undefined
}

function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      accounts: { type: 'string', default: '30' },
      backups: { type: 'string', default: 'on,off' },
      seconds: { type: 'string', default: '60' },
      settle: { type: 'string', default: '20' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  return {
    accounts: countOf('--accounts', values.accounts, MOST_ACCOUNTS),
    backups: namesOf('--backups', values.backups, BACKUPS),
    seconds: countOf('--seconds', values.seconds, MOST_S),
    settleS: countOf('--settle', values.settle, MOST_S),
    json: values.json,
  }
}

interface Measured {
  /** Of one core, in percent. */
  supervisorPercent: number
  backups: number
  load: string
}

async function measureFleet(
  isOn: boolean,
  { accounts, seconds, settleS }: Options,
): Promise<Record<'idle' | 'busy', Measured>> {
  const sessionsPath = await mkdtemp(join(tmpdir(), 'backup-cpu-'))
  await prepare(sessionsPath, accounts)
  const port = await freePort()
  const emulator = fork(EMULATOR, [String(port)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  await once(emulator, 'message')
  const firestore = {
    FIRESTORE_PROJECT_ID: 'demo-backup-cpu',
    FIRESTORE_EMULATOR_HOST: `127.0.0.1:${port}`,
    BACKUP_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  }
  const env = { MAX_ACCOUNTS: String(accounts), CONNECT_RATE_MAX: '100', ...(isOn ? firestore : {}) }
  const service = new SupervisorProcess({ sessionsPath, entry: SUPERVISOR, env })
  const end = async (): Promise<void> => {
    await service.end('SIGTERM')
    emulator.kill('SIGKILL')
    await rm(sessionsPath, { recursive: true, force: true })
  }
  return withCleanup(end, async () => {
    await service.listening()
    const rows = await service.connected(accounts)
    const revisions = async (): Promise<number> =>
      (await service.dashboard()).accounts.reduce((sum, { backup }) => sum + (backup?.revision ?? 0), 0)
    if (isOn) {
      await until(
        'each to have a backup',
        async () => (await service.dashboard()).accounts.every(({ backup }) => backup?.revision && !backup.pending),
        () => service.tail(),
        300_000,
      )
    }
    const measure = async (): Promise<Measured> => {
      await pause(settleS * 1000)
      const before = { cpu: cpuS(service.pid), revisions: await revisions(), ms: performance.now() }
      await pause(seconds * 1000)
      const tookS = (performance.now() - before.ms) / 1000
      const percent = Math.round(((cpuS(service.pid) - before.cpu) / tookS) * 10_000) / 100
      return { supervisorPercent: percent, backups: (await revisions()) - before.revisions, load: loadAverage() }
    }
    const idle = await measure()
    for (const { process: worker } of rows) process.kill(knownPid(worker.pid), 'SIGUSR2')
    const busy = await measure()
    return { idle, busy }
  })
}

/** Accounts that the service finds at its start, each with a directory that holds a session. */
async function prepare(sessionsPath: string, accounts: number): Promise<void> {
  const createdAt = new Date().toISOString()
  const records = testPhones(accounts).map((phone, at) => ({
    accountId: `account_${at}`,
    name: `Account ${at}`,
    phone: `+${phone}`,
    desired: 'running',
    purge: false,
    createdAt,
  }))
  await writeFile(join(sessionsPath, 'accounts.json'), JSON.stringify({ version: 1, accounts: records }))
  await writeFile(join(sessionsPath, SESSION_FILE), (await logOf('used')).toString('base64'))
  for (const { accountId } of records) {
    await mkdir(join(sessionsPath, accountId))
    await writeFile(join(sessionsPath, accountId, 'session.log'), '')
  }
}

const HEAD = ['accounts', 'backups', 'idle %', 'a message a second of each %', 'backups in that time', 'load']

await runBench(USAGE, async () => {
  const options = parseOptions()
  if (options === undefined) return void process.stdout.write(USAGE)
  const results: Partial<Record<keyof typeof BACKUPS, Awaited<ReturnType<typeof measureFleet>>>> = {}
  const cells: string[][] = []
  for (const backups of options.backups) {
    const { idle, busy } = (results[backups] = await measureFleet(backups === 'on', options))
    const percents = [idle, busy].map(({ supervisorPercent }) => String(supervisorPercent))
    cells.push([String(options.accounts), backups, ...percents, String(busy.backups), busy.load.split(' ')[0] ?? ''])
  }
  const { accounts, json } = options
  await publish('backup-cpu', { accounts, ...results }, markdown(HEAD, cells), json)
})
