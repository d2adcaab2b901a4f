import type { Clock } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import { readHold, writeHold } from '../accounts/hold-file.ts'

export interface ConnectHoldOptions {
  sessionsPath: string
  clock: Clock
  log: Log
  /** Who lets accounts connect. */
  gate: {
    readonly hold: { sinceMs: number } | null
    setHold(sinceMs: number | null): void
  }
}

/** The operator's word that nothing connects for now: on the disk first, then at the gate. */
export class ConnectHold {
  readonly #options: ConnectHoldOptions
  /** The pause or end of a pause that is under way. */
  #underWay: Promise<void> = Promise.resolve()

  constructor(options: ConnectHoldOptions) {
    this.#options = options
  }

  get isPaused(): boolean {
    return this.#options.gate.hold !== null
  }

  /** What an earlier run of the service was told holds on. */
  async load(): Promise<void> {
    const { sessionsPath, clock, gate } = this.#options
    gate.setHold(await readHold(sessionsPath, clock.nowMs()))
  }

  /** @throws AppError storage_unavailable, here and below: nothing was changed */
  pause(): Promise<void> {
    const { clock, log } = this.#options
    return this.#inTurn(async () => {
      if (this.isPaused) return
      await this.#set(clock.nowMs())
      log.warn({ event: 'connects.paused' }, 'Nothing connects until the operator says so')
    })
  }

  resume(): Promise<void> {
    const { log } = this.#options
    return this.#inTurn(async () => {
      const wasPaused = this.isPaused
      // Also where memory knows of no pause: the file may be there all the same.
      await this.#set(null)
      if (wasPaused) log.info({ event: 'connects.resumed' }, 'Accounts connect again, in turn')
    })
  }

  async #set(sinceMs: number | null): Promise<void> {
    const { sessionsPath, gate } = this.#options
    await writeHold(sessionsPath, sinceMs)
    gate.setHold(sinceMs)
  }

  /** One word after another: at the end memory and disk say the same, that of the last one. */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const done = this.#underWay.then(run)
    this.#underWay = done.catch(() => undefined)
    return done
  }
}
