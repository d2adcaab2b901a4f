/**
 * The same trace of operations on our store and on Baileys' useMultiFileAuthState, each in a process of its own.
 * Prints one JSON object. `node dist/test/bench/store.js [messages]`; the directory is BENCH_DIR or a temporary one:
 * put it on the disk that is asked about.
 *
 * The trace: a pairing (812 pre-keys in one set), then for each message one session of 1.9 KB read and written, as a
 * decrypt does, one used pre-key in eight deleted, creds saved with one in twenty; then bursts of ten sets at once;
 * then an open of what is there.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { useMultiFileAuthState, type AuthenticationState } from '@whiskeysockets/baileys'
import { nodeFs, type SessionFile, type SessionFs } from '../../shared/session/session-fs.ts'
import { openSession } from '../../worker/session/session.ts'

const PEERS = 200
const SESSION_BYTES = 1400 // about 1.9 KB as base64
const BURSTS = 100

interface Store {
  readonly state: AuthenticationState
  saveCreds(): Promise<void>
  close(): Promise<void>
  syncs(): number
}

const STORES: Record<string, (dir: string) => Promise<Store>> = {
  ours: async (dir) => {
    const counted = countingFs()
    const session = await openSession({ dir, fs: counted.fs })
    return {
      state: session.authState,
      saveCreds: () => session.saveCreds(),
      close: () => session.close(),
      syncs: counted.syncs,
    }
  },
  stock: async (dir) => {
    const { state, saveCreds } = await useMultiFileAuthState(dir)
    return { state, saveCreds, close: async () => undefined, syncs: () => 0 }
  },
}

function countingFs(): { fs: SessionFs; syncs: () => number } {
  let syncs = 0
  const counted = (file: SessionFile): SessionFile => ({
    ...file,
    datasync: () => (syncs++, file.datasync()),
    sync: () => (syncs++, file.sync()),
  })
  return {
    fs: {
      ...nodeFs,
      open: async (path, how) => counted(await nodeFs.open(path, how)),
      syncDir: (path) => (syncs++, nodeFs.syncDir(path)),
    },
    syncs: () => syncs,
  }
}

interface Span {
  readonly wallMs: number
  readonly cpuMs: number
  readonly syncs: number
}

function startSpan(store: Store): () => Span {
  const startedAtMs = performance.now()
  const cpu = process.cpuUsage()
  const syncs = store.syncs()
  return () => {
    const used = process.cpuUsage(cpu)
    return {
      wallMs: performance.now() - startedAtMs,
      cpuMs: (used.user + used.system) / 1000,
      syncs: store.syncs() - syncs,
    }
  }
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
const round = (value: number): number => Math.round(value * 1000) / 1000

async function measure(name: string, dir: string, messages: number): Promise<object> {
  const open = STORES[name]
  if (open === undefined) throw new Error(`no store "${name}"`)
  const store = await open(dir)
  const { keys, creds } = store.state
  const value = Buffer.alloc(SESSION_BYTES, 7)
  const pair = (): { public: Buffer; private: Buffer } => ({
    public: Buffer.alloc(32, 1),
    private: Buffer.alloc(32, 2),
  })
  await keys.set({ 'pre-key': { warm: pair() } })

  const pairing = startSpan(store)
  await keys.set({ 'pre-key': Object.fromEntries(Array.from({ length: 812 }, (_, at) => [String(at + 1), pair()])) })
  const paired = pairing()

  const delays: number[] = []
  const traffic = startSpan(store)
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

  const bursting = startSpan(store)
  for (let burst = 0; burst < BURSTS; burst++) {
    await Promise.all(Array.from({ length: 10 }, async (_, at) => keys.set({ session: { [`1${at}.0`]: value } })))
  }
  const burst = bursting()
  await store.close()

  const opening = performance.now()
  const again = await open(dir)
  await again.state.keys.get('session', ['490.0'])
  const openMs = performance.now() - opening
  await again.close()

  const names = readdirSync(dir)
  const stats = names.map((entry) => statSync(join(dir, entry)))
  return {
    pairingMs: round(paired.wallMs),
    pairingCpuMs: round(paired.cpuMs),
    pairingSyncs: paired.syncs,
    messagesPerSecond: Math.round((messages / done.wallMs) * 1000),
    setP50Ms: round(percentile(delays, 0.5)),
    setP99Ms: round(percentile(delays, 0.99)),
    cpuMsPerMessage: round(done.cpuMs / messages),
    syncsPerMessage: round(done.syncs / messages),
    burstMsPerSet: round(burst.wallMs / BURSTS / 10),
    burstCpuMsPerSet: round(burst.cpuMs / BURSTS / 10),
    burstSyncsPerSet: round(burst.syncs / BURSTS / 10),
    openMs: round(openMs),
    files: names.length,
    bytes: stats.reduce((sum, { size }) => sum + size, 0),
    bytesOnDisk: stats.reduce((sum, { blocks }) => sum + blocks * 512, 0),
  }
}

async function compare(messages: number): Promise<void> {
  const results: Record<string, unknown> = {}
  for (const name of Object.keys(STORES)) {
    const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'store-bench-'))
    try {
      const child = fork(fileURLToPath(import.meta.url), ['measure', name, dir, String(messages)])
      child.once('message', (result) => (results[name] = result))
      await once(child, 'exit')
    } finally {
      rmSync(dir, { recursive: true })
    }
  }
  process.stdout.write(`${JSON.stringify({ node: process.version, messages, ...results }, null, 2)}\n`)
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
