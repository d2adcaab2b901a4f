import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { text as readText } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { knownPid } from '../fixtures/known-pid.ts'
import type { SimulatorEvent } from '../simulator/events.ts'
import type { Fault } from '../simulator/faults.ts'
import type { Attempt } from '../simulator/service.ts'

const COMMAND = fileURLToPath(new URL('../simulator/simulator-command.js', import.meta.url))

/** As WhatsApp: an account makes and uploads 812 keys at its pairing and none at a login, and gets a history. */
const REAL = ['--prekeys', 'real', '--history', '20x100']

/** Each call is answered within milliseconds, on a machine that is all but stuck within seconds. */
const CALL_DEADLINE_MS = 60_000

/** The simulator in a process of its own, so that what it costs is not taken for what the service costs. */
export class SimulatorProcess {
  readonly #child: ChildProcess
  /** Few connections, so that hundreds of calls a second wait here and not in the simulator's backlog. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #ready: { url: string; noiseRootKey: string; controlUrl: string }

  private constructor(child: ChildProcess, ready: { url: string; noiseRootKey: string; controlUrl: string }) {
    this.#child = child
    this.#ready = ready
  }

  static async start(): Promise<SimulatorProcess> {
    const child = spawn(process.execPath, ['--enable-source-maps', COMMAND, '--exit-with-parent', ...REAL], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit').then(() => [undefined]),
    ])) as [string | undefined]
    if (line === undefined) throw new Error('The simulator ended before it was ready')
    return new SimulatorProcess(child, JSON.parse(line) as { url: string; noiseRootKey: string; controlUrl: string })
  }

  get pid(): number {
    return knownPid(this.#child.pid)
  }

  get url(): string {
    return this.#ready.url
  }

  get noiseRootKey(): string {
    return this.#ready.noiseRootKey
  }

  async scanQr(qr: string, phone: string): Promise<void> {
    await this.#call('POST', '/scan', { qr, phone })
  }

  /** A contact writes to an account, or in a group (digits) that both are in; resolves with the message's id. */
  async sendText(to: string, from: string, text: string, group?: string): Promise<string> {
    return ((await this.#call('POST', '/messages', { to, from, text, group })) as { id: string }).id
  }

  /** Cuts every connection; resolves with how many there were. */
  async dropAll(): Promise<number> {
    return ((await this.#call('POST', '/connections/drop', {})) as { dropped: number }).dropped
  }

  /** Cuts the connections of one phone. */
  async drop(phone: string): Promise<void> {
    await this.#call('POST', '/connections/drop', { phone })
  }

  async stopListening(): Promise<void> {
    await this.#call('POST', '/listener/stop')
  }

  async listen(): Promise<void> {
    await this.#call('POST', '/listener/start')
  }

  async inject(fault: Fault): Promise<void> {
    await this.#call('POST', '/faults', fault)
  }

  async clearFaults(): Promise<void> {
    await this.#call('DELETE', '/faults')
  }

  async attempts(): Promise<Attempt[]> {
    return (await this.#call('GET', '/attempts')) as Attempt[]
  }

  async events(since: number): Promise<SimulatorEvent[]> {
    return (await this.#call('GET', `/events?since=${since}`)) as SimulatorEvent[]
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await exit
    this.#agent.destroy()
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const call = request(this.#ready.controlUrl + path, {
      method,
      agent: this.#agent,
      signal: AbortSignal.timeout(CALL_DEADLINE_MS),
    })
    call.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    const text = await readText(response)
    const { statusCode = 0 } = response
    if (statusCode >= 400) throw new Error(`The simulator answered ${statusCode} to ${method} ${path}: ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }
}
