import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { knownPid } from '../../fixtures/known-pid.ts'
import type { SimulatorProcess } from '../simulator-process.ts'
import { PlainAccounts, PROGRAM } from './plain-accounts.ts'
import type { Setup } from './setup.ts'

const PM2 = createRequire(import.meta.url).resolve('pm2/bin/pm2')
const run = promisify(execFile)
/** For 200 processes that start, on two cores. */
const COMMAND_DEADLINE_MS = 300_000

/**
 * Plain Baileys, a process for each account under PM2, with PM2's own defaults. The daemon and its files are this bench's
 * alone; what the processes have to say comes over a socket, since their output belongs to PM2.
 */
export class Pm2Setup implements Setup {
  readonly name = 'process-each'
  readonly #accounts: PlainAccounts
  readonly #home: string
  readonly #socketPath: string
  #server: Server | undefined

  constructor(simulator: SimulatorProcess, directory: string) {
    this.#accounts = new PlainAccounts(simulator, directory)
    this.#home = join(directory, 'pm2')
    this.#socketPath = join(directory, 'lines')
  }

  get received(): Map<string, number> {
    return this.#accounts.received
  }

  get connectedAtMs(): Map<string, number> {
    return this.#accounts.connectedAtMs
  }

  get connectedCpuS(): Map<string, number> {
    return this.#accounts.connectedCpuS
  }

  async start(): Promise<void> {
    this.#server ??= await this.#listen()
    this.#accounts.forgetProcesses()
    // Starts the daemon.
    await this.#pm2('ping')
    if (this.#accounts.phones.length > 0) await this.#startAll(this.#accounts.phones)
  }

  pair(phone: string): Promise<void> {
    return this.#accounts.pair(phone, () => this.#startAll([phone]))
  }

  async firstQr(phone: string): Promise<void> {
    await this.#accounts.add(phone, () => this.#startAll([phone]))
  }

  connected(): number {
    return this.connectedAtMs.size
  }

  pids(): { parent: number; workers: number[] } {
    const daemon = Number(readFileSync(join(this.#home, 'pm2.pid'), 'utf8'))
    return { parent: daemon, workers: [...this.#accounts.pids.values()] }
  }

  pidOf(phone: string): number {
    return knownPid(this.#accounts.pids.get(phone))
  }

  async stop(): Promise<void> {
    await this.#pm2('kill')
    this.#server?.close()
    this.#server = undefined
  }

  async #startAll(phones: readonly string[]): Promise<void> {
    const apps = phones.map((phone) => ({
      name: phone,
      script: PROGRAM,
      args: this.#accounts.argumentsFor([phone]),
      env: { LINES_TO: this.#socketPath },
    }))
    const path = join(this.#home, `${phones[0]}.config.json`)
    writeFileSync(path, JSON.stringify({ apps }))
    await this.#pm2('start', path)
  }

  async #pm2(...args: string[]): Promise<void> {
    const env = { PATH: process.env['PATH'], HOME: this.#home, PM2_HOME: this.#home }
    await run(process.execPath, [PM2, '--silent', ...args], { env, timeout: COMMAND_DEADLINE_MS })
  }

  #listen(): Promise<Server> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      createInterface({ input: socket }).on('line', (text) => this.#accounts.onLine(text))
    })
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#socketPath, () => resolve(server))
    })
  }
}
