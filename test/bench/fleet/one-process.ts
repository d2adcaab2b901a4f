import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { knownPid } from '../../fixtures/known-pid.ts'
import type { SimulatorProcess } from '../simulator-process.ts'
import { PlainAccounts, PROGRAM } from './plain-accounts.ts'
import type { Setup } from './setup.ts'

/** Plain Baileys, all accounts in one process, which is started anew at once when it ends. */
export class OneProcessSetup implements Setup {
  readonly name = 'one-process'
  readonly #accounts: PlainAccounts
  #child: ChildProcess | undefined
  #stopping = false

  constructor(simulator: SimulatorProcess, directory: string) {
    this.#accounts = new PlainAccounts(simulator, directory)
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
    this.#stopping = false
    this.#accounts.forgetProcesses()
    this.#spawn()
  }

  pair(phone: string): Promise<void> {
    return this.#accounts.pair(phone, () => this.#add(phone))
  }

  async firstQr(phone: string): Promise<void> {
    await this.#accounts.add(phone, () => this.#add(phone))
  }

  connected(): number {
    return this.connectedAtMs.size
  }

  pids(): { parent: undefined; workers: number[] } {
    return { parent: undefined, workers: [this.pidOf()] }
  }

  pidOf(): number {
    return knownPid(this.#child?.pid)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
  }

  #add(phone: string): void {
    this.#child?.stdin?.write(`${this.#accounts.directoryOf(phone)}\n`)
  }

  #spawn(): void {
    const child = spawn(process.execPath, [PROGRAM, ...this.#accounts.argumentsFor(this.#accounts.phones)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'] },
    })
    this.#child = child
    child.stdin.on('error', () => undefined)
    createInterface({ input: child.stdout }).on('line', (text) => this.#accounts.onLine(text))
    child.on('exit', () => {
      if (!this.#stopping) this.#spawn()
    })
  }
}
