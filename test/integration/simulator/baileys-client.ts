import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import makeWASocket, {
  useMultiFileAuthState,
  WA_CERT_DETAILS,
  type AuthenticationState,
  type BaileysEventMap,
  type ConnectionState,
  type UserFacingSocketConfig,
  type WAMessage,
  type WASocket,
} from '@whiskeysockets/baileys'
import { pino } from 'pino'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../simulator/simulator.ts'

/** Long, for a machine that is busy with other tests; nothing waits for it to pass. */
const WAIT_MS = 120_000

/** What of a tap test is needed here. */
export interface TestScope {
  teardown(work: () => unknown): unknown
}

/** Odd values, to tell Baileys' timers by. */
const CONNECT_TIMEOUT_MS = 60_001
const QUERY_TIMEOUT_MS = 60_002
/** Baileys races each prekey upload against a timer of this long, and never clears it. */
const UPLOAD_TIMEOUT_MS = 30_000
/** Timers that Baileys leaves behind when a socket ends while it waits for something. */
const LEFT_BEHIND_MS = new Set([CONNECT_TIMEOUT_MS, QUERY_TIMEOUT_MS, UPLOAD_TIMEOUT_MS])

/**
 * Two things that Baileys does to its host: libsignal prints sessions, private keys included, and timers that are left behind
 * keep the process alive for up to half a minute. Call once, before the first client.
 */
export function tameBaileys(): void {
  for (const level of ['log', 'info', 'warn', 'error'] as const) console[level] = () => undefined
  const { setTimeout: original } = globalThis
  const patched = (callback: (...args: unknown[]) => void, delayMs?: number, ...args: unknown[]): NodeJS.Timeout => {
    const timer = original(callback, delayMs, ...args)
    return delayMs !== undefined && LEFT_BEHIND_MS.has(delayMs) ? timer.unref() : timer
  }
  globalThis.setTimeout = Object.assign(patched, original)
}

export async function simulatorFor(test: TestScope, options: SimulatorOptions = {}): Promise<Simulator> {
  directoryOf(test)
  const simulator = await startSimulator(options)
  test.teardown(() => simulator.close())
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(simulator.noiseRootKey, 'hex')
  return simulator
}

type Emitted = {
  [E in keyof BaileysEventMap]: { readonly event: E; readonly data: BaileysEventMap[E] }
}[keyof BaileysEventMap]

/**
 * A plain Baileys client on a directory: what a program that uses Baileys amounts to. `connect` may be called again after
 * a close, as such programs do.
 */
export class BaileysClient {
  readonly directory: string
  readonly url: string
  readonly #config: Partial<UserFacingSocketConfig>
  readonly #seen: Emitted[] = []
  readonly #watchers = new Set<() => void>()
  readonly #saves = new Set<Promise<void>>()
  #auth: { state: AuthenticationState; saveCreds: () => Promise<void> } | undefined
  #socket: WASocket | undefined

  constructor(url: string, directory: string, config: Partial<UserFacingSocketConfig> = {}) {
    this.url = url
    this.directory = directory
    this.#config = config
  }

  get socket(): WASocket {
    if (!this.#socket) throw new Error('connect first')
    return this.#socket
  }

  /** Opens a socket over what the directory holds. */
  async connect(): Promise<void> {
    await Promise.all(this.#saves)
    this.#auth = await useMultiFileAuthState(this.directory)
    const { state, saveCreds } = this.#auth
    const socket = makeWASocket({
      auth: state,
      waWebSocketUrl: this.url,
      logger: pino({ level: 'silent' }),
      syncFullHistory: false,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      defaultQueryTimeoutMs: QUERY_TIMEOUT_MS,
      retryRequestDelayMs: 10,
      // By default a write that fails, as after the end of a test, is repeated for half a minute.
      transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 1 },
      ...this.#config,
    })
    this.#socket = socket
    socket.ev.on('creds.update', () => {
      const save = saveCreds()
      this.#saves.add(save)
      void save.finally(() => this.#saves.delete(save))
    })
    socket.ev.process((events) => {
      for (const [event, data] of Object.entries(events)) this.#seen.push({ event, data } as Emitted)
      for (const watcher of [...this.#watchers]) watcher()
    })
  }

  /** Forgets what was seen so far, so that a wait is for what comes. */
  forget(): void {
    this.#seen.length = 0
  }

  /** The first value that `pick` finds in what was seen or will be; rejects with the names of what was seen. */
  wait<T>(what: string, pick: (emitted: Emitted) => T | undefined, timeoutMs = WAIT_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        for (const emitted of this.#seen) {
          const found = pick(emitted)
          if (found === undefined) continue
          leave()
          resolve(found)
          return
        }
      }
      const leave = (): void => {
        clearTimeout(timer)
        this.#watchers.delete(look)
      }
      const timer = setTimeout(() => {
        leave()
        reject(new Error(`waited ${timeoutMs} ms for ${what}; seen: ${this.#describeSeen()}`))
      }, timeoutMs)
      this.#watchers.add(look)
      look()
    })
  }

  #waitUpdate<T>(
    what: string,
    pick: (update: Partial<ConnectionState>) => T | undefined,
    timeoutMs?: number,
  ): Promise<T> {
    return this.wait(what, ({ event, data }) => (event === 'connection.update' ? pick(data) : undefined), timeoutMs)
  }

  qr(): Promise<string> {
    return this.#waitUpdate('a QR', ({ qr }) => qr)
  }

  async opened(): Promise<void> {
    await this.#waitUpdate('open', ({ connection }) => (connection === 'open' ? true : undefined))
  }

  /** The status code of the close; null when it has none. */
  async closed(timeoutMs?: number): Promise<number | null> {
    const code = await this.#waitUpdate(
      'close',
      ({ connection, lastDisconnect }) => (connection === 'close' ? statusOf(lastDisconnect?.error) : undefined),
      timeoutMs,
    )
    await Promise.all(this.#saves)
    return code
  }

  message(id: string): Promise<WAMessage> {
    return this.wait(`message ${id}`, ({ event, data }) =>
      event === 'messages.upsert' ? data.messages.find(({ key, message }) => key.id === id && message) : undefined,
    )
  }

  /** The message's status is at least this: 2 on the server, 3 delivered, 4 read. */
  status(id: string, status: number): Promise<true> {
    return this.wait(`status ${status} of ${id}`, ({ event, data }) => {
      if (event === 'messages.update') {
        return data.some(({ key, update }) => key.id === id && Number(update.status) === status) || undefined
      }
      return (
        (event === 'messages.upsert' && data.messages.some((m) => m.key.id === id && Number(m.status) === status)) ||
        undefined
      )
    })
  }

  /** Connects for the first time and shows a QR, which a phone scans; resolves when the device is online and has its history. */
  async pair(simulator: Simulator, phone?: string): Promise<{ phone: string; jid: string; deviceId: number }> {
    await this.connect()
    const linked = await simulator.scanQr(await this.qr(), phone)
    const code = await this.closed()
    if (code !== 515) throw new Error(`closed with ${code} after pairing, wanted 515`)
    const synced = simulator.waitFor('queue.emptied', { phone: linked.phone, timeoutMs: WAIT_MS })
    await this.reconnect()
    await synced
    return linked
  }

  /** Connects again and waits until open. */
  async reconnect(): Promise<void> {
    this.forget()
    await this.connect()
    await this.opened()
  }

  /** Ends the socket without a close handshake: one with a frozen peer would take 30 s. */
  async stop(): Promise<void> {
    if (!this.#socket) return
    const raw: unknown = this.#socket.ws
    void this.#socket.end(undefined)
    const inner = (raw as { socket?: { terminate(): void } | null }).socket
    inner?.terminate()
    await Promise.all(this.#saves)
  }

  #describeSeen(): string {
    return this.#seen
      .map(({ event, data }) => (event === 'connection.update' ? JSON.stringify({ ...data, qr: undefined }) : event))
      .join(', ')
  }
}

const directories = new WeakMap<TestScope, string>()

/**
 * A directory of the test's own, removed when all that the test started has ended: not tap's `testdir`, which goes first,
 * while Baileys may still write.
 */
export function directoryOf(test: TestScope): string {
  const known = directories.get(test)
  if (known !== undefined) return known
  const directory = mkdtempSync(join(tmpdir(), 'simulator-test-'))
  directories.set(test, directory)
  test.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }))
  return directory
}

export function clientFor(
  test: TestScope,
  simulator: Simulator,
  config: Partial<UserFacingSocketConfig> = {},
  name = 'session',
): BaileysClient {
  const client = new BaileysClient(simulator.url, join(directoryOf(test), name), config)
  test.teardown(() => client.stop())
  return client
}

export function textOf({ message }: WAMessage): string | undefined {
  return message?.extendedTextMessage?.text ?? message?.conversation ?? undefined
}

function statusOf(error: Error | undefined): number | null {
  const output: unknown = error && 'output' in error ? error.output : undefined
  return typeof output === 'object' && output && 'statusCode' in output ? Number(output.statusCode) : null
}
