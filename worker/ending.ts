import type { Clock } from '../shared/clock.ts'
import { LATE, withDeadline } from '../shared/deadline.ts'
import { messageOf } from '../shared/errors.ts'
import { EXIT } from '../shared/exit-codes.ts'
import type { Log } from '../shared/log.ts'

/** For a process that ends by its own fault: what is not on the disk by then was never acknowledged. */
const CLOSE_DEADLINE_MS = 8000

export interface EndingOptions {
  clock: Clock
  log: Log
  /** Closes what is open; resolves with the code to exit with. */
  close: (code: number) => Promise<number>
  /** Ends the process. */
  exit: (code: number) => void
}

/**
 * The end of the process: once, and in time. A process that has decided to end does end, whatever closing does: with its
 * heartbeats going on it would look alive. One that was asked to stop has the supervisor to count its seconds.
 */
export class Ending {
  readonly #options: EndingOptions
  #ending: Promise<void> | undefined

  constructor(options: EndingOptions) {
    this.#options = options
  }

  get hasBegun(): boolean {
    return this.#ending !== undefined
  }

  /** Resolves when the process was told to exit. Whatever comes after the first call changes nothing. */
  begin(code: number, before: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.#ending ??= this.#closeInTime(code, before).then((finalCode) => this.#options.exit(finalCode))
    return this.#ending
  }

  async #closeInTime(code: number, before: () => Promise<void>): Promise<number> {
    const { clock, log, close } = this.#options
    const closing = before().then(() => close(code))
    try {
      const finalCode = code === EXIT.ok.code ? await closing : await withDeadline(closing, CLOSE_DEADLINE_MS, clock)
      return finalCode === LATE ? code : finalCode
    } catch (error) {
      log.error({ event: 'account.close_failed', cause: messageOf(error) }, 'Closing failed')
      return code === EXIT.ok.code ? EXIT.storageFailed.code : code
    }
  }
}
