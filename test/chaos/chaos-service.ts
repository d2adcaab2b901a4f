import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../shared/errors.ts'
import { SupervisorProcess, type AccountView, type SupervisorOptions } from '../fixtures/supervisor-process.ts'
import { until } from '../fixtures/until.ts'

/** As an init system does: tried again so often, this far apart. */
const START_TRIES = 10
const START_GAP_MS = 1_000
/** An operator's patience with an API that is down or a disk that is full. */
const ASK_DEADLINE_MS = 90_000

/** The service over its lives: killed, stopped and started again on the same sessions, one thing after another. */
export class ChaosService {
  readonly #options: SupervisorOptions
  #current: SupervisorProcess | undefined
  #work: Promise<unknown> = Promise.resolve()
  /** Process ids of all supervisors so far. */
  readonly pids: number[] = []
  /** Starts that ended by themselves, with what they said. */
  readonly failedStarts: string[] = []

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  get current(): SupervisorProcess {
    if (this.#current === undefined) throw new Error('The service was not started.')
    return this.#current
  }

  /** Resolves when the API answers. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const service = new SupervisorProcess(this.#options)
      this.pids.push(service.pid)
      this.#current = service
      try {
        await service.listening()
        return
      } catch (error) {
        await service.end('SIGKILL')
        this.failedStarts.push(messageOf(error))
        if (attempt === START_TRIES) throw error
      }
      await pause(START_GAP_MS)
    }
  }

  /** Ends it by this signal, waits `downMs`, and starts it again. Resolves with how it ended. */
  bounce(signal: 'SIGKILL' | 'SIGTERM', downMs: number): Promise<string> {
    const done = this.#work.then(async () => {
      const { code, signal: by } = await this.current.end(signal)
      await pause(downMs)
      await this.start()
      return by ?? `code ${code}`
    })
    this.#work = done.catch(() => undefined)
    return done
  }

  /** Resolves with the exit code, null where a signal ended it. */
  async stop(): Promise<number | null> {
    await this.#work
    return (await this.current.end('SIGTERM')).code
  }

  /** Asks until the service does it: it may be down at this moment, or its disk full. */
  async ask(accountId: string, order: 'pause' | 'resume' | 'restart'): Promise<void> {
    let last = 'nothing'
    await until(
      `${order} of ${accountId}`,
      async () => {
        try {
          const answer = await this.current.api('POST', `/api/whatsapp/accounts/${accountId}/${order}`)
          last = JSON.stringify(answer)
          return answer.status === 200
        } catch (error) {
          last = messageOf(error)
          return false
        }
      },
      () => last,
      ASK_DEADLINE_MS,
    )
  }

  /** All accounts, or undefined when the service does not answer. */
  async look(): Promise<AccountView[] | undefined> {
    try {
      return (await this.current.dashboard()).accounts
    } catch {
      return undefined
    }
  }

  /** Whatever state it is in: nothing is left of it. */
  async destroy(): Promise<void> {
    await this.#current?.end('SIGKILL')
  }
}
