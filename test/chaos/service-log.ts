import type { LogEvidence, ReceivedLine } from './evidence.ts'

/** What the supervisor prints for each message that is new to an account's event stream (LOG_LEVEL=debug). */
const RECEIVED = 'message.received'
/** A frame of a stack trace as Node prints it. */
const STACK_FRAME = /^\s+at (?:async |new )?\S.*(?::\d+:\d+\)?|<anonymous>\)|\(index \d+\))$/

/** Reads the log of all the supervisors and workers of a run, line by line. */
export class ServiceLog {
  readonly received: ReceivedLine[] = []
  /** "status reason" of each change of an account's connection, counted. */
  readonly changes = new Map<string, number>()
  /** Lines of level warn and worse, counted by "level event". */
  readonly complaints = new Map<string, number>()
  readonly #crashes: string[] = []
  readonly #bugs: string[] = []
  readonly #stackTraces: string[] = []
  #lines = 0
  /** Lines that are no JSON; a killed process may leave half a one. */
  readonly torn: string[] = []

  read(text: string): void {
    this.#lines += 1
    if (STACK_FRAME.test(text)) this.#stackTraces.push(text)
    if (!text.startsWith('{')) return
    const line = parse(text)
    if (line === undefined) return void this.torn.push(text)
    const event = String(line['event'])
    const level = String(line['level'])
    if (event === RECEIVED) this.#noteReceived(line, text)
    if (event.startsWith('connection.')) {
      const reason = typeof line['reason'] === 'string' ? line['reason'] : ''
      add(this.changes, `${String(line['status'])} ${reason}`)
    }
    if (['warn', 'error', 'fatal'].includes(level)) add(this.complaints, `${level} ${event}`)
    if (event === 'supervisor.crashed') this.#crashes.push(text)
    if (line['msg'] === 'Bug' || level === 'fatal') this.#bugs.push(text)
    if ('stack' in line) this.#stackTraces.push(text)
  }

  evidence(): LogEvidence {
    return { lines: this.#lines, crashes: this.#crashes, bugs: this.#bugs, stackTraces: this.#stackTraces }
  }

  #noteReceived(line: Record<string, unknown>, text: string): void {
    const { accountId, stream, sequence, messageId } = line
    if (typeof accountId !== 'string' || typeof sequence !== 'number' || typeof messageId !== 'string') {
      this.#bugs.push(`a line ${RECEIVED} of another shape: ${text}`)
      return
    }
    this.received.push({ accountId, stream: String(stream), sequence, messageId })
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return undefined
  }
}

function add(counts: Map<string, number>, key: string): void {
  const name = key.trim()
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
