import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { knownPid } from '../../fixtures/known-pid.ts'
import { until } from '../../fixtures/until.ts'
import type { SimulatorProcess } from '../simulator-process.ts'
import type { Setup } from './setup.ts'

const PROGRAM = fileURLToPath(new URL('plain-program.js', import.meta.url))
const PAIR_DEADLINE_MS = 120_000

interface Line {
  event: 'qr' | 'open' | 'message'
  atMs: number
  phone: string
  qr?: string
  id?: string
}

/** Plain Baileys, all accounts in one process or a process for each; this bench is the parent. */
export class PlainSetup implements Setup {
  readonly name: 'one-process' | 'process-each'
  readonly received = new Map<string, number>()
  readonly connectedAtMs = new Map<string, number>()
  readonly #simulator: SimulatorProcess
  readonly #directory: string
  readonly #phones: string[] = []
  readonly #children = new Map<string, ChildProcess>()
  readonly #qr = new Map<string, string>()
  #stopping = false

  constructor(name: 'one-process' | 'process-each', simulator: SimulatorProcess, directory: string) {
    this.name = name
    this.#simulator = simulator
    this.#directory = directory
  }

  async start(): Promise<void> {
    this.#stopping = false
    this.connectedAtMs.clear()
    if (this.name === 'one-process') this.#fork('all', this.#phones)
    else for (const phone of this.#phones) this.#fork(phone, [phone])
  }

  async pair(phone: string): Promise<void> {
    this.#phones.push(phone)
    mkdirSync(this.#directoryOf(phone), { recursive: true })
    if (this.name === 'process-each') this.#fork(phone, [phone])
    else this.#children.get('all')?.stdin?.write(`${this.#directoryOf(phone)}\n`)
    const qr = await until(`a QR code of ${this.name}`, () => this.#qr.get(phone), PAIR_DEADLINE_MS)
    await this.#simulator.scanQr(qr, phone)
    await until(`${this.name} to connect`, () => this.connectedAtMs.has(phone), PAIR_DEADLINE_MS)
  }

  connected(): number {
    return this.connectedAtMs.size
  }

  pids(): { parent: undefined; workers: number[] } {
    return { parent: undefined, workers: [...this.#children.values()].map(({ pid }) => knownPid(pid)) }
  }

  pidOf(phone: string): number {
    return knownPid((this.#children.get('all') ?? this.#children.get(phone))?.pid)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(
      [...this.#children.values()].map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const exit = once(child, 'exit')
        child.kill('SIGTERM')
        await exit
      }),
    )
    this.#children.clear()
  }

  #directoryOf(phone: string): string {
    return join(this.#directory, phone)
  }

  #fork(key: string, phones: readonly string[]): void {
    const { url, noiseRootKey } = this.#simulator
    const child = spawn(
      process.execPath,
      [PROGRAM, url, noiseRootKey, ...phones.map((phone) => this.#directoryOf(phone))],
      {
        stdio: ['pipe', 'pipe', 'ignore'],
        env: { PATH: process.env['PATH'] },
      },
    )
    this.#children.set(key, child)
    child.stdin.on('error', () => undefined)
    createInterface({ input: child.stdout }).on('line', (text) => this.#onLine(JSON.parse(text) as Line))
    child.on('exit', () => {
      if (this.#stopping) return
      // As PM2 does by default: at once, whatever it was.
      this.#fork(key, key === 'all' ? this.#phones : phones)
    })
  }

  #onLine({ event, phone, atMs, qr, id }: Line): void {
    if (event === 'qr' && qr !== undefined) this.#qr.set(phone, qr)
    if (event === 'open') this.connectedAtMs.set(phone, atMs)
    if (event === 'message' && id !== undefined && !this.received.has(id)) this.received.set(id, atMs)
  }
}
