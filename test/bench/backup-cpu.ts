import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../fixtures/firestore-emulator.ts'
import { testPhones } from '../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../fixtures/supervisor-process.ts'
import { cpuS, describeMachine, loadAverage } from './mass-drop/machine.ts'
import { pairFleet } from './mass-drop/pair-fleet.ts'
import { SimulatorProcess } from './mass-drop/simulator-process.ts'

/**
 * What backups cost the supervisor: the real service with its real workers, the simulator and a Firestore (over gRPC) in
 * processes of their own; the times of production. The CPU is that of the supervisor's process, with the threads that seal.
 */
const USAGE = `Usage: npm run bench -- backup-cpu [options]

  --accounts N      (30); 200 accounts take about 12 GB of memory
  --backups LIST    on, off (both, each with a fleet of its own)
  --seconds S       of each measurement (60)
  --settle S        before each (20)
`

const EMULATOR = fileURLToPath(new URL('../fixtures/firestore-emulator-process.js', import.meta.url))
const CONTACT = '49151000001'
const say = (line: string): void => void process.stderr.write(`${line}\n`)

interface Options {
  accounts: number
  backups: string[]
  seconds: number
  settleS: number
}

function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      accounts: { type: 'string', default: '30' },
      backups: { type: 'string', default: 'on,off' },
      seconds: { type: 'string', default: '60' },
      settle: { type: 'string', default: '20' },
      help: { type: 'boolean', default: false },
    },
  })
  const numbers = [values.accounts, values.seconds, values.settle].map(Number)
  const backups = values.backups.split(',')
  const isWrong = numbers.some((number) => !Number.isInteger(number) || number < 1 || number > 3600)
  if (values.help || isWrong || backups.some((text) => text !== 'on' && text !== 'off')) return undefined
  const [accounts = 30, seconds = 60, settleS = 20] = numbers
  return { accounts, backups, seconds, settleS }
}

interface Measured {
  /** Of one core, in percent. */
  supervisorPercent: number
  workersPercent: number
  messagesPerS: number
  backups: number
  load: string
}

async function measureFleet(isOn: boolean, { accounts, seconds, settleS }: Options): Promise<Record<string, Measured>> {
  const sessionsPath = await mkdtemp(join(tmpdir(), 'backup-cpu-'))
  const simulator = await SimulatorProcess.start()
  const port = await freePort()
  const emulator = fork(EMULATOR, [String(port)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  await once(emulator, 'message')
  const firestore = {
    FIRESTORE_PROJECT_ID: 'demo-backup-cpu',
    FIRESTORE_EMULATOR_HOST: `127.0.0.1:${port}`,
    BACKUP_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  }
  const service = new SupervisorProcess({
    sessionsPath,
    env: {
      WA_SOCKET_URL: simulator.url,
      WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
      MAX_ACCOUNTS: String(accounts),
      ...(isOn ? firestore : {}),
    },
  })
  try {
    await service.listening()
    say(`${accounts} accounts paired and connected in ${await pairFleet(service, simulator, accounts)} s`)
    const revisions = async (): Promise<number> =>
      (await service.dashboard()).accounts.reduce((sum, { backup }) => sum + (backup?.revision ?? 0), 0)
    const during = async (work: () => Promise<number>): Promise<Measured> => {
      await pause(settleS * 1000)
      const pids = (await service.dashboard()).accounts.map(({ process }) => process.pid ?? -1)
      const workers = (): number => pids.reduce((sum, pid) => sum + cpuS(pid), 0)
      const before = { supervisor: cpuS(service.pid), workers: workers(), revisions: await revisions() }
      const startMs = performance.now()
      const messages = await work()
      const tookS = (performance.now() - startMs) / 1000
      const percent = (cpu: number): number => Math.round((cpu / tookS) * 10_000) / 100
      return {
        supervisorPercent: percent(cpuS(service.pid) - before.supervisor),
        workersPercent: percent(workers() - before.workers),
        messagesPerS: Math.round((messages / tookS) * 10) / 10,
        backups: (await revisions()) - before.revisions,
        load: loadAverage(),
      }
    }
    const idle = await during(() => pause(seconds * 1000).then(() => 0))
    const busy = await during(() => messages(simulator, testPhones(accounts), seconds))
    return { idle, busy }
  } finally {
    await service.end('SIGTERM')
    await simulator.end()
    emulator.kill('SIGKILL')
    await rm(sessionsPath, { recursive: true, force: true })
  }
}

/** One a second for each phone, if the machine can; resolves with how many there were. */
async function messages(simulator: SimulatorProcess, phones: string[], seconds: number): Promise<number> {
  const endMs = performance.now() + seconds * 1000
  let sent = 0
  await Promise.all(
    phones.map(async (phone, at) => {
      await pause((at / phones.length) * 1000)
      for (let dueMs = performance.now(); performance.now() < endMs; dueMs += 1000) {
        await simulator.send(phone, CONTACT, 'a message')
        sent++
        await pause(Math.max(0, dueMs + 1000 - performance.now()))
      }
    }),
  )
  return sent
}

const options = parseOptions()
if (options === undefined) {
  process.stderr.write(USAGE)
  process.exitCode = 64
} else {
  const results: Record<string, Record<string, Measured>> = {}
  for (const backups of options.backups) results[backups] = await measureFleet(backups === 'on', options)
  const text = { bench: 'backup-cpu', machine: describeMachine(), accounts: options.accounts, ...results }
  process.stdout.write(`${JSON.stringify(text, null, 2)}\n`)
}
