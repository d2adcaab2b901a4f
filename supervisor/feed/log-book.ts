import type { DestinationStream } from 'pino'
import type { LogLine } from '../../shared/ipc.ts'
import { parseLogLine } from '../../shared/log-copy.ts'

/** The last lines that were logged of each account, for its page. Memory alone: the journal keeps them for good. */
export interface BookedLine extends LogLine {
  /** Grows by one with each line of the account. */
  sequence: number
}

/** Some 60 KB an account at the most that is usual. */
const MOST_LINES = 200
/** Accounts come and go; the books of those that went longest ago make room. */
const MOST_ACCOUNTS = 1000
type Listener = (accountId: string, line: BookedLine) => void

export class LogBook {
  readonly #lines = new Map<string, BookedLine[]>()
  readonly #last = new Map<string, number>()
  readonly #listeners = new Set<Listener>()
  #dropped = 0

  add(accountId: string, lines: readonly LogLine[], dropped = 0): void {
    this.#dropped += dropped
    const kept = this.#lines.get(accountId) ?? []
    let sequence = this.#last.get(accountId) ?? 0
    for (const line of lines) {
      const booked = { ...line, sequence: ++sequence }
      kept.push(booked)
      for (const listener of this.#listeners) listener(accountId, booked)
    }
    kept.splice(0, kept.length - MOST_LINES)
    this.#lines.delete(accountId)
    this.#lines.set(accountId, kept)
    this.#last.set(accountId, sequence)
    const [quietest] = this.#lines.keys()
    if (this.#lines.size > MOST_ACCOUNTS && quietest !== undefined) this.forget(quietest)
  }

  /** For a log of this process: its lines that name an account. */
  readonly destination: DestinationStream = {
    write: (text) => {
      const parsed = text.includes('"accountId"') ? parseLogLine(text) : undefined
      if (parsed !== undefined && parsed.accountId !== null) this.add(parsed.accountId, [parsed.line])
    },
  }

  /** The last lines of an account, oldest first. */
  of(accountId: string, limit: number): BookedLine[] {
    return (this.#lines.get(accountId) ?? []).slice(-limit)
  }

  /** An account that is removed leaves no lines. */
  forget(accountId: string): void {
    this.#lines.delete(accountId)
    this.#last.delete(accountId)
  }

  /** Lines that had no room on the way here. */
  get dropped(): number {
    return this.#dropped
  }

  /** @returns the end of the subscription */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
