import { knownPid } from '../../fixtures/known-pid.ts'
import { pair } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess, type DashboardBody } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { cpuS } from '../machine.ts'
import type { SimulatorProcess } from '../simulator-process.ts'
import type { Setup } from './setup.ts'

const PAIR_DEADLINE_MS = 120_000

/** This service, stagger 0, seen through its log: asking its API all the time would be a part of what is measured. */
export class ServiceSetup implements Setup {
  readonly name: 'bundled' | 'unbundled'
  readonly received = new Map<string, number>()
  readonly connectedAtMs = new Map<string, number>()
  readonly connectedCpuS = new Map<string, number>()
  readonly #simulator: SimulatorProcess
  readonly #sessionsPath: string
  readonly #phoneOf = new Map<string, string>()
  /** By account: a worker is there before it is known which phone it is for. */
  readonly #pids = new Map<string, number>()
  readonly #onSpawn: (pid: number) => void
  #service: SupervisorProcess | undefined

  constructor(
    name: 'bundled' | 'unbundled',
    simulator: SimulatorProcess,
    sessionsPath: string,
    onSpawn: (pid: number) => void = () => undefined,
  ) {
    this.name = name
    this.#simulator = simulator
    this.#sessionsPath = sessionsPath
    this.#onSpawn = onSpawn
  }

  async start(): Promise<void> {
    this.connectedAtMs.clear()
    this.#pids.clear()
    const service = new SupervisorProcess({
      sessionsPath: this.#sessionsPath,
      onLine: (line) => this.#onLine(line),
      env: {
        WA_SOCKET_URL: this.#simulator.url,
        WA_NOISE_ROOT_KEY: this.#simulator.noiseRootKey,
        MAX_ACCOUNTS: '1000',
        // The machine's own limit, not ours, is what is looked for.
        CONNECT_RATE_MAX: '100',
        WORKER_BUNDLE: this.name === 'bundled' ? 'on' : 'off',
        // A line for each message.
        LOG_LEVEL: 'debug',
      },
    })
    this.#service = service
    this.#onSpawn(service.pid)
    await service.listening()
  }

  async pair(phone: string): Promise<void> {
    const service = this.#running()
    this.#phoneOf.set(await pair(service, this.#simulator, phone), phone)
    await until(`${phone} to connect`, () => this.connectedAtMs.has(phone), undefined, PAIR_DEADLINE_MS)
  }

  async firstQr(phone: string): Promise<void> {
    const { accountId, qrCode } = await this.#running().add(phone)
    if (qrCode === undefined) throw new Error(`The answer to add-account has no QR code of ${accountId}.`)
  }

  connected(): number {
    return this.connectedAtMs.size
  }

  pids(): { parent: number; workers: number[] } {
    return { parent: this.#running().pid, workers: [...this.#pids.values()] }
  }

  /** What the service says of its accounts. */
  async dashboard(): Promise<DashboardBody> {
    return this.#running().dashboard()
  }

  pidOf(phone: string): number {
    const [accountId = ''] = [...this.#phoneOf].find(([, known]) => known === phone) ?? []
    return knownPid(this.#pids.get(accountId))
  }

  async stop(): Promise<void> {
    const end = await this.#service?.end('SIGTERM')
    if (end !== undefined && end.code !== 0) throw new Error(`The service did not end well: ${JSON.stringify(end)}`)
  }

  #running(): SupervisorProcess {
    if (this.#service === undefined) throw new Error('The service was not started.')
    return this.#service
  }

  #onLine(text: string): void {
    // What was printed is not kept: it would be the bench's own memory.
    this.#service?.output.splice(0, Math.max(0, this.#service.output.length - 100))
    if (!/"(message\.received|connection\.connected|child\.spawned)"/.test(text)) return
    const line = JSON.parse(text) as {
      event: string
      time: string
      accountId: string
      messageId?: string
      pid?: number
    }
    const atMs = Date.parse(line.time)
    if (line.event === 'child.spawned' && line.pid !== undefined) this.#pids.set(line.accountId, line.pid)
    if (line.event === 'connection.connected') {
      const phone = this.#phoneOf.get(line.accountId) ?? line.accountId
      this.connectedAtMs.set(phone, atMs)
      this.connectedCpuS.set(phone, cpuS(knownPid(this.#pids.get(line.accountId))))
    }
    if (line.messageId !== undefined) this.received.set(line.messageId, atMs)
  }
}
