import type { DestinationStream } from 'pino'
import type { Clock, Timer } from './clock.ts'
import type { LogLine } from './ipc.ts'

/**
 * A second destination of a log: its lines as data, for who looks at an account. It never blocks and never fails: lines
 * are handed over in batches, one at a time, and what has no room meanwhile is dropped and counted.
 */
const LEVELS = ['info', 'warn', 'error', 'fatal'] as const
/** A burst is one message, and the first line of it does not wait to be seen. */
const BATCH_DELAY_MS = 100
/** Some 30 KB; a start prints ten lines. */
const MOST_WAITING = 100
/** A stack trace is the longest that is logged on purpose. */
const LONGEST_LINE = 8000

/** What every line has, and what is known of it where it is read. */
const NO_FIELDS = new Set(['level', 'time', 'msg', 'event', 'accountId'])

export class LogCopy implements DestinationStream {
  readonly #give: (lines: LogLine[], dropped: number) => Promise<void> | void
  readonly #clock: Clock
  #waiting: LogLine[] = []
  #dropped = 0
  #timer: Timer | undefined
  #isGiving = false

  /** @param give hands a batch over; never rejects. The next one follows when it is done. */
  constructor(give: (lines: LogLine[], dropped: number) => Promise<void> | void, clock: Clock) {
    this.#give = give
    this.#clock = clock
  }

  write(line: string): void {
    const parsed = parseLogLine(line)
    if (parsed === undefined) return
    if (this.#waiting.length >= MOST_WAITING) {
      this.#dropped++
      return
    }
    this.#waiting.push(parsed.line)
    this.#arm()
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#isGiving) return
    this.#timer = this.#clock.setTimer(BATCH_DELAY_MS, () => void this.#flush(), { unref: true })
  }

  async #flush(): Promise<void> {
    this.#timer = undefined
    const [lines, dropped] = [this.#waiting, this.#dropped]
    this.#waiting = []
    this.#dropped = 0
    this.#isGiving = true
    await this.#give(lines, dropped)
    this.#isGiving = false
    if (this.#waiting.length > 0) this.#arm()
  }
}

/** A printed line as data; undefined below info, and for what is no line of ours. */
export function parseLogLine(text: string): { accountId: string | null; line: LogLine } | undefined {
  if (text.length > LONGEST_LINE) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // Not of pino: a copy for people has no use for it, and the log itself has it.
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined
  const all = parsed as Record<string, unknown>
  const level = LEVELS.find((known) => known === all['level'])
  const atMs = typeof all['time'] === 'string' ? Date.parse(all['time']) : Number.NaN
  if (level === undefined || Number.isNaN(atMs)) return undefined
  const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
  const fields = Object.fromEntries(Object.entries(all).filter(([name]) => !NO_FIELDS.has(name)))
  return {
    accountId: textOf(all['accountId']),
    line: { atMs, level, event: textOf(all['event']), message: textOf(all['msg']) ?? '', fields },
  }
}
