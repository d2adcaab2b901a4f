import pLimit from 'p-limit'
import { Piscina } from 'piscina'
import type { Clock } from '../shared/clock.ts'
import { messageOf } from '../shared/errors.ts'

interface OneThreadOptions {
  /** Of the task: a file that exports it under this name. */
  file: URL
  name: string
  clock: Clock
  /** For one task, once its turn has come. */
  deadlineMs: number
}

/**
 * Does in a thread what would keep the supervisor from hearing heartbeats, one task at a time. The thread ends when there
 * is nothing to do; one that dies, or has no result in time, costs its task alone. Calls reject with an Error that says why.
 */
export class OneThread<Task, Result> {
  readonly #options: OneThreadOptions
  #pool: Piscina<Task, Result>
  /** The pool would queue by itself; but a deadline that runs in the queue would blame one task for another that hangs. */
  readonly #oneAtATime = pLimit(1)
  #giveUp: ((why: string) => void) | undefined
  #stopped = false

  constructor(options: OneThreadOptions) {
    this.#options = options
    this.#pool = this.#newPool()
  }

  /** @param isWanted asked when its turn has come */
  run(task: Task, isWanted = () => true): Promise<Result> {
    const { clock, deadlineMs } = this.#options
    return this.#oneAtATime(async () => {
      if (this.#stopped) throw new Error('the service is stopping')
      if (!isWanted()) throw new Error('its turn came too late')
      const end = new AbortController()
      this.#giveUp = (why) => end.abort(why)
      const tooLate = `the thread had no result after ${deadlineMs} ms`
      const timer = clock.setTimer(deadlineMs, () => end.abort(tooLate), { unref: true })
      try {
        return await this.#pool.run(task, { signal: end.signal })
      } catch (error) {
        if (end.signal.aborted) this.#renew()
        throw new Error(end.signal.aborted ? String(end.signal.reason) : messageOf(error), { cause: error })
      } finally {
        timer.cancel()
        this.#giveUp = undefined
      }
    })
  }

  /** Ends the thread, whatever it is at: what it had not done rejects. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#pool.destroy()
  }

  #newPool(): Piscina<Task, Result> {
    const { file, name } = this.#options
    const pool = new Piscina<Task, Result>({
      filename: file.href,
      name,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: 10_000,
    })
    // Without a listener, a thread that dies while it starts or rests would end the supervisor, and every account with it.
    // The pool keeps the task that waited for such a thread, and starts none for it: it would wait for its deadline. (One that
    // ends by itself while it loads is not told of, and does.)
    pool.on('error', (error) => {
      if (pool === this.#pool) this.#giveUp?.(`the thread died (${messageOf(error)})`)
    })
    return pool
  }

  /** An abort ends the thread of a task that runs, but not one that hangs while it starts: that would hold all that follow. */
  #renew(): void {
    if (this.#stopped) return
    const given = this.#pool
    this.#pool = this.#newPool()
    given.destroy().catch(() => undefined)
  }
}
