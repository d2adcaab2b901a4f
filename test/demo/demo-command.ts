import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pLimit from 'p-limit'
import { readQr } from '../fixtures/qr-reader.ts'
import type { DashboardBody } from '../fixtures/supervisor-process.ts'
import { startSimulator } from '../simulator/simulator.ts'

/**
 * `npm run demo`: the real service, the WhatsApp simulator, and 30 simulated phones whose owners scan the QR codes from
 * the pictures that the API hands out, then write to each other. No phone, no internet, nothing left behind.
 */
const USAGE = `Usage: npm run demo -- [--accounts N] [--port PORT]

  --accounts N   how many accounts, 1 to 200 (30)
  --port PORT    of the dashboard (8080)`

function fail(message: string): never {
  process.stderr.write(`${message}\n\n${USAGE}\n`)
  process.exit(64)
}

function parseOptions(): { accounts: number; port: number } {
  try {
    const { values } = parseArgs({
      options: {
        accounts: { type: 'string', default: '30' },
        port: { type: 'string', default: '8080' },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(`${USAGE}\n`)
      process.exit(0)
    }
    const accounts = Number(values.accounts)
    const port = Number(values.port)
    if (!Number.isInteger(accounts) || accounts < 1 || accounts > 200) {
      return fail(`--accounts is "${values.accounts}": a whole number from 1 to 200 is wanted.`)
    }
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      return fail(`--port is "${values.port}": a whole number from 1 to 65535 is wanted.`)
    }
    return { accounts, port }
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

const { accounts: count, port } = parseOptions()
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const startedMs = performance.now()
const elapsed = (): string => `${((performance.now() - startedMs) / 1000).toFixed(0).padStart(3)} s`

const directory = await mkdtemp(join(tmpdir(), 'whatsapp-demo-'))
const logPath = join(directory, 'service.log')
const simulator = await startSimulator()
const service = spawn(
  process.execPath,
  ['--enable-source-maps', fileURLToPath(new URL('../../supervisor/main.js', import.meta.url))],
  {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      ADMIN_TOKEN: 'demo',
      SESSIONS_PATH: join(directory, 'sessions'),
      MAX_ACCOUNTS: String(count),
      WA_SOCKET_URL: simulator.url,
      WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    },
  },
)
const serviceEnded = once(service, 'exit')
const logFile = createWriteStream(logPath, { mode: 0o600 })
const listening = new Promise<void>((resolve) => {
  createInterface({ input: service.stdout }).on('line', (line) => {
    logFile.write(`${line}\n`)
    if (line.includes('"http.listening"')) resolve()
  })
})
let complaint = ''
service.stderr.on('data', (data: Buffer) => {
  complaint += data.toString()
  logFile.write(data)
})

let ending = false
async function end(code: number): Promise<never> {
  if (!ending) {
    ending = true
    service.kill('SIGTERM')
    await serviceEnded
    await simulator.close()
    await rm(directory, { recursive: true, force: true })
  }
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    say('\nStopping: every account flushes its session.')
    void end(0)
  })
}
void serviceEnded.then(() => {
  if (ending) return
  process.stderr.write(`The service ended by itself.\n${complaint}\n`)
  void end(1)
})

const url = `http://127.0.0.1:${port}`
async function api(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: 'Bearer demo', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return response.json()
}

await listening
say(`
  Dashboard: ${url}    token: demo
  The service's log: ${logPath}
  ${count} phones will scan their QR codes by themselves. Ctrl-C ends it all.
`)

/** Phones of the demo, digits only. */
const phones = Array.from({ length: count }, (_, index) => String(40_700_000_001 + index))
const phoneOf = new Map<string, string>()
const scanned = new Map<string, string>()

/** The owner of a phone sees the QR code on the dashboard and needs a moment to find the right menu. */
async function scanWhatWaits(): Promise<DashboardBody> {
  const dashboard = (await api('GET', '/api/status/dashboard')) as DashboardBody
  for (const { accountId, qrCode } of dashboard.accounts) {
    const phone = phoneOf.get(accountId)
    if (phone === undefined || qrCode === undefined || scanned.get(accountId) === qrCode) continue
    scanned.set(accountId, qrCode)
    void pause(1000 + Math.random() * 2000)
      .then(() => simulator.scanQr(readQr(qrCode), phone))
      .catch((error: unknown) =>
        say(`  ${phone} could not scan: ${error instanceof Error ? error.message : String(error)}`),
      )
  }
  return dashboard
}

const adding = pLimit(3)
const added = Promise.all(
  phones.map((phone, index) =>
    adding(async () => {
      const answer = await api('POST', '/api/whatsapp/add-account', { name: `Shop ${index + 1}`, phone: `+${phone}` })
      const account = (answer as { account?: { accountId: string } }).account
      if (account === undefined) throw new Error(`add-account answered ${JSON.stringify(answer)}`)
      phoneOf.set(account.accountId, phone)
    }),
  ),
)
added.catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  void end(1)
})

let shown = -1
while (!ending) {
  const dashboard = await scanWhatWaits().catch(() => undefined)
  if (dashboard === undefined) break
  const { summary } = dashboard
  if (summary.connected !== shown) {
    shown = summary.connected
    say(`  ${elapsed()}  ${shown} of ${count} connected`)
    if (shown === count)
      say('\n  All connected, each in a process of its own. Kill one and see what happens. Ctrl-C ends the demo.\n')
  }
  if (shown === count) {
    // Some life on the dashboard: a customer writes to one of the shops.
    const to = phones[Math.floor(Math.random() * count)] ?? ''
    await simulator.sendText({ to, from: '49151000001', text: 'Are you open on Sunday?' }).catch(() => undefined)
  }
  await pause(1000)
}
