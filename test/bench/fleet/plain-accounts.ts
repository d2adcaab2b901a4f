import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../../shared/clock.ts'
import { LATE, withDeadline } from '../../../shared/deadline.ts'
import { knownPid } from '../../fixtures/known-pid.ts'
import { until } from '../../fixtures/until.ts'
import { cpuS } from '../machine.ts'
import type { SimulatorProcess } from '../simulator-process.ts'

/** Plain Baileys: see plain-program.ts. */
export const PROGRAM = fileURLToPath(new URL('plain-program.js', import.meta.url))
const PAIR_DEADLINE_MS = 120_000

interface Line {
  event: 'started' | 'qr' | 'open' | 'message'
  atMs: number
  phone: string
  pid?: number
  qr?: string
  id?: string
}

/** The accounts of plain-program.ts, however many processes it runs in: what it is told, and what it says. */
export class PlainAccounts {
  readonly phones: string[] = []
  readonly received = new Map<string, number>()
  readonly connectedAtMs = new Map<string, number>()
  readonly connectedCpuS = new Map<string, number>()
  /** By phone. */
  readonly pids = new Map<string, number>()
  /** Who waits for the first QR code of a phone. */
  readonly #onQr = new Map<string, (qr: string) => void>()
  readonly #simulator: SimulatorProcess
  readonly #directory: string

  constructor(simulator: SimulatorProcess, directory: string) {
    this.#simulator = simulator
    this.#directory = directory
  }

  argumentsFor(phones: readonly string[]): string[] {
    const { url, noiseRootKey } = this.#simulator
    return [url, noiseRootKey, ...phones.map((phone) => this.directoryOf(phone))]
  }

  directoryOf(phone: string): string {
    return join(this.#directory, phone)
  }

  forgetProcesses(): void {
    this.connectedAtMs.clear()
    this.pids.clear()
  }

  /**
   * Adds an account.
   * @param add starts it
   * @returns its QR code
   */
  async add(phone: string, add: () => Promise<void> | void): Promise<string> {
    this.phones.push(phone)
    mkdirSync(this.directoryOf(phone), { recursive: true })
    const shown = new Promise<string>((resolve) => this.#onQr.set(phone, resolve))
    await add()
    const qr = await withDeadline(shown, PAIR_DEADLINE_MS, systemClock)
    if (qr === LATE)
      throw new Error(
        `No QR code of ${phone} in ${PAIR_DEADLINE_MS / 1000} s: ${this.connectedAtMs.size} are connected.`,
      )
    return qr
  }

  async pair(phone: string, add: () => Promise<void> | void): Promise<void> {
    await this.#simulator.scanQr(await this.add(phone, add), phone)
    await until(
      `a connection of ${phone}`,
      () => this.connectedAtMs.has(phone),
      () => `${this.connectedAtMs.size} others`,
      PAIR_DEADLINE_MS,
    )
  }

  onLine(text: string): void {
    const { event, phone, atMs, pid, qr, id } = JSON.parse(text) as Line
    if (event === 'started' && pid !== undefined) this.pids.set(phone, pid)
    if (event === 'qr' && qr !== undefined) this.#onQr.get(phone)?.(qr)
    if (event === 'open') {
      this.connectedAtMs.set(phone, atMs)
      this.connectedCpuS.set(phone, cpuS(knownPid(this.pids.get(phone))))
    }
    if (event === 'message' && id !== undefined && !this.received.has(id)) this.received.set(id, atMs)
  }
}
