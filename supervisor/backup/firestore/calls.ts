import type { Clock } from '../../../shared/clock.ts'
import { LATE, withDeadline } from '../../../shared/deadline.ts'
import { BackupError } from '../target.ts'
import { isContention, mapError } from './map-error.ts'

/** Two hosts that claim at once meet at most this often before one of them is through. */
const ATTEMPTS = 5

/**
 * Calls with an end. A read is given up at its deadline, and its answer forgotten. A write is given up too, but it may
 * still land: until it has settled, no other write to its document begins. A write whose caller has given up while it
 * waited for its turn never begins.
 */
export class Calls {
  readonly #clock: Clock
  /** Of each document that a write is at: settles when nothing is under way any more. */
  readonly #underWay = new Map<string, Promise<void>>()
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Documents whose last write has not settled. */
  get pending(): number {
    return this.#underWay.size
  }

  close(): void {
    this.#closed = true
  }

  async read<T>(what: string, deadlineMs: number, work: () => Promise<T>): Promise<T> {
    return this.#bounded(what, deadlineMs, this.#begin(work))
  }

  /** `document`: what is written, as a key; writes under one key never overlap. */
  async write<T>(document: string, what: string, deadlineMs: number, work: () => Promise<T>): Promise<T> {
    const endMs = this.#clock.monotonicMs() + deadlineMs
    const before = this.#underWay.get(document) ?? Promise.resolve()
    const result = before.then(() => {
      if (this.#clock.monotonicMs() >= endMs) throw new BackupError('unreachable', `${what}: given up before its turn.`)
      return this.#begin(work)
    })
    const settled = result.then(
      () => undefined,
      () => undefined,
    )
    this.#underWay.set(document, settled)
    void settled.then(() => {
      if (this.#underWay.get(document) === settled) this.#underWay.delete(document)
    })
    return this.#bounded(what, deadlineMs, result)
  }

  /** For a transaction: one that met another is the one thing to repeat, as the client's own retries are off. */
  async attempt<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#begin(work)
      } catch (error) {
        if (!isContention(error) || attempt === ATTEMPTS) throw error
        await this.#pause(Math.random() * 100 * 2 ** attempt)
      }
    }
  }

  async #begin<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#closed) return work()
    throw new BackupError('unreachable', 'The connection to Firestore is closed: the service is stopping.')
  }

  async #bounded<T>(what: string, deadlineMs: number, work: Promise<T>): Promise<T> {
    let result: T | typeof LATE
    try {
      result = await withDeadline(work, deadlineMs, this.#clock)
    } catch (error) {
      throw mapError(error, what)
    }
    if (result !== LATE) return result
    throw new BackupError(
      'unreachable',
      `${what}: Firestore gave no answer within ${deadlineMs} ms. The service tries again by itself.`,
    )
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.setTimer(delayMs, resolve))
  }
}
