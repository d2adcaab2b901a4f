/**
 * The same trace of operations on our store and on Baileys' useMultiFileAuthState, each in a process of its own.
 * `npm run bench -- store [messages]`; the directory is BENCH_DIR or a temporary one: put it on the disk that is asked
 * about.
 *
 * The trace: a pairing (812 pre-keys in one set), then for each message one session of 1.9 KB read and written, as a
 * decrypt does, one used pre-key in eight deleted, creds saved with one in twenty; then bursts of ten sets at once;
 * then an open of what is there.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { useMultiFileAuthState, type AuthenticationState } from '@whiskeysockets/baileys'
import { openSession } from '../../worker/session/session.ts'
import { markdown, publish } from './options.ts'

const PEERS = 200
const SESSION_BYTES = 1400 // about 1.9 KB as base64
const BURSTS = 100

interface Store {
  readonly state: AuthenticationState
  saveCreds(): Promise<void>
  close(): Promise<void>
}

const STORES: Record<string, (dir: string) => Promise<Store>> = {
  ours: async (dir) => {
    const session = await openSession({ dir })
    return { state: session.authState, saveCreds: () => session.saveCreds(), close: () => session.close() }
  },
  stock: async (dir) => {
    const { state, saveCreds } = await useMultiFileAuthState(dir)
    return { state, saveCreds, close: async () => undefined }
  },
}

/** Counts what any store in this process asks the disk to sync. */
async function countSyncs(dir: string): Promise<() => number> {
  let syncs = 0
  const file = await open(dir, 'r')
  const handles = Object.getPrototypeOf(file) as Record<'datasync' | 'sync', (this: FileHandle) => Promise<void>>
  for (const name of ['datasync', 'sync'] as const) {
    const asked = handles[name]
    handles[name] = function () {
      syncs++
      return asked.call(this)
    }
  }
  await file.close()
  return () => syncs
}

/** What this process has handed to write calls so far. */
function writtenBytes(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

interface Span {
  readonly wallMs: number
  readonly cpuMs: number
  readonly syncs: number
  readonly bytes: number
}

function startSpan(countedSyncs: () => number): () => Span {
  const startedAtMs = performance.now()
  const cpu = process.cpuUsage()
  const syncs = countedSyncs()
  const bytes = writtenBytes()
  return () => {
    const used = process.cpuUsage(cpu)
    return {
      wallMs: performance.now() - startedAtMs,
      cpuMs: (used.user + used.system) / 1000,
      syncs: countedSyncs() - syncs,
      bytes: writtenBytes() - bytes,
    }
  }
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
const round = (value: number): number => Math.round(value * 1000) / 1000

interface Result {
  pairingMs: number
  pairingCpuMs: number
  pairingSyncs: number
  pairingBytes: number
  messagesPerSecond: number
  setP50Ms: number
  setP99Ms: number
  cpuMsPerMessage: number
  syncsPerMessage: number
  bytesPerMessage: number
  burstMsPerSet: number
  burstCpuMsPerSet: number
  burstSyncsPerSet: number
  openMs: number
  files: number
  bytes: number
  bytesOnDisk: number
}

async function measure(name: string, dir: string, messages: number): Promise<Result> {
  const openStore = STORES[name]
  if (openStore === undefined) throw new Error(`no store "${name}"`)
  const countedSyncs = await countSyncs(dir)
  const store = await openStore(dir)
  const { keys, creds } = store.state
  const value = Buffer.alloc(SESSION_BYTES, 7)
  const pair = (): { public: Buffer; private: Buffer } => ({
    public: Buffer.alloc(32, 1),
    private: Buffer.alloc(32, 2),
  })
  await keys.set({ 'pre-key': { warm: pair() } })

  const pairing = startSpan(countedSyncs)
  await keys.set({ 'pre-key': Object.fromEntries(Array.from({ length: 812 }, (_, at) => [String(at + 1), pair()])) })
  const paired = pairing()

  const delays: number[] = []
  const traffic = startSpan(countedSyncs)
  for (let number = 0; number < messages; number++) {
    const id = `49${number % PEERS}.0`
    await keys.get('session', [id])
    const startedAtMs = performance.now()
    await keys.set({ session: { [id]: value } })
    delays.push(performance.now() - startedAtMs)
    if (number % 8 === 0) await keys.set({ 'pre-key': { [String(1 + (number >> 3))]: null } })
    if (number % 20 === 0) {
      creds.nextPreKeyId = number
      await store.saveCreds()
    }
  }
  const done = traffic()
  delays.sort((a, b) => a - b)

  const bursting = startSpan(countedSyncs)
  for (let burst = 0; burst < BURSTS; burst++) {
    await Promise.all(Array.from({ length: 10 }, async (_, at) => keys.set({ session: { [`1${at}.0`]: value } })))
  }
  const burst = bursting()
  await store.close()

  const opening = performance.now()
  const again = await openStore(dir)
  await again.state.keys.get('session', ['490.0'])
  const openMs = performance.now() - opening
  await again.close()

  const names = readdirSync(dir)
  const stats = names.map((entry) => statSync(join(dir, entry)))
  return {
    pairingMs: round(paired.wallMs),
    pairingCpuMs: round(paired.cpuMs),
    pairingSyncs: paired.syncs,
    pairingBytes: paired.bytes,
    messagesPerSecond: Math.round((messages / done.wallMs) * 1000),
    setP50Ms: round(percentile(delays, 0.5)),
    setP99Ms: round(percentile(delays, 0.99)),
    cpuMsPerMessage: round(done.cpuMs / messages),
    syncsPerMessage: round(done.syncs / messages),
    bytesPerMessage: Math.round(done.bytes / messages),
    burstMsPerSet: round(burst.wallMs / BURSTS / 10),
    burstCpuMsPerSet: round(burst.cpuMs / BURSTS / 10),
    burstSyncsPerSet: round(burst.syncs / BURSTS / 10),
    openMs: round(openMs),
    files: names.length,
    bytes: stats.reduce((sum, { size }) => sum + size, 0),
    bytesOnDisk: stats.reduce((sum, { blocks }) => sum + blocks * 512, 0),
  }
}

const HEAD = [
  ...['store', 'pairing ms', 'syncs', 'KB written', 'messages/s', 'set p50/p99 ms', 'CPU ms/message', 'syncs/message'],
  ...['bytes written/message', 'burst: ms/set', 'syncs/set', 'open ms', 'files', 'KB on disk'],
]

function cellsOf([name, result]: [string, Result]): string[] {
  const kb = (bytes: number): string => String(Math.round(bytes / 1000))
  return [
    name,
    String(result.pairingMs),
    String(result.pairingSyncs),
    kb(result.pairingBytes),
    String(result.messagesPerSecond),
    `${result.setP50Ms}/${result.setP99Ms}`,
    String(result.cpuMsPerMessage),
    String(result.syncsPerMessage),
    String(result.bytesPerMessage),
    String(result.burstMsPerSet),
    String(result.burstSyncsPerSet),
    String(result.openMs),
    String(result.files),
    kb(result.bytesOnDisk),
  ]
}

async function compare(messages: number): Promise<void> {
  const results: [string, Result][] = []
  for (const name of Object.keys(STORES)) {
    const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'store-bench-'))
    try {
      const child = fork(fileURLToPath(import.meta.url), ['measure', name, dir, String(messages)])
      child.once('message', (result) => results.push([name, result as Result]))
      await once(child, 'exit')
    } finally {
      rmSync(dir, { recursive: true })
    }
  }
  const table = markdown(HEAD, results.map(cellsOf))
  await publish('store', { messages, ...Object.fromEntries(results) }, table, undefined)
}

const [mode = '3000', name = '', dir = '', count = '0'] = process.argv.slice(2)
if (mode === 'measure') {
  process.send?.(await measure(name, dir, Number(count)))
  process.disconnect()
} else if (/^[1-9]\d{0,6}$/.test(mode)) {
  await compare(Number(mode))
} else {
  process.stderr.write(
    'Usage: npm run bench -- store [messages]\n\n  messages   how many are stored, a whole number (3000)\n',
  )
  process.exitCode = mode === '--help' ? 0 : 64
}
