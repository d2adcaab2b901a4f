import { maskNumbers } from '../../shared/phone.ts'
import type { Log } from '../../shared/log.ts'
import type { Clock } from '../../shared/clock.ts'

/**
 * The logger that Baileys gets. Its objects carry keys, jids and message text, so nothing of them passes but the name and
 * message of an error, with long numbers masked; its info and debug lines are not wanted at all. Decryption errors come
 * in tens of thousands: a message is printed once a minute, and counted meanwhile.
 */
export interface BaileysLog {
  level: string
  child(fields: Record<string, unknown>): BaileysLog
  trace(fields: unknown, message?: string): void
  debug(fields: unknown, message?: string): void
  info(fields: unknown, message?: string): void
  warn(fields: unknown, message?: string): void
  error(fields: unknown, message?: string): void
}

const REPEAT_AFTER_MS = 60_000
/** Messages that are told apart; what comes beyond goes under one name. Baileys has some 150 warnings and errors. */
const MOST_MESSAGES = 300

export function createBaileysLog(log: Log, clock: Clock): BaileysLog {
  const seen = new Map<string, { printedMs: number; suppressed: number }>()

  const print = (level: 'warn' | 'error', fields: unknown, message: string | undefined): void => {
    const text = maskNumbers(message ?? (typeof fields === 'string' ? fields : 'no message')).slice(0, 200)
    const key = seen.has(text) || seen.size < MOST_MESSAGES ? text : 'others'
    const nowMs = clock.monotonicMs()
    const known = seen.get(key)
    if (known && nowMs - known.printedMs < REPEAT_AFTER_MS) {
      known.suppressed++
      return
    }
    // Baileys calls things errors that it then deals with; only what ends a connection is one for us, and that has its own line.
    log.warn(
      {
        event: 'baileys.warned',
        baileysLevel: level,
        text,
        cause: causeOf(fields),
        suppressed: known?.suppressed ?? 0,
      },
      'Baileys',
    )
    seen.set(key, { printedMs: nowMs, suppressed: 0 })
  }

  const ignore = (): void => undefined
  const adapter: BaileysLog = {
    level: 'warn',
    child: () => adapter,
    trace: ignore,
    debug: ignore,
    info: ignore,
    warn: (fields, message) => print('warn', fields, message),
    error: (fields, message) => print('error', fields, message),
  }
  return adapter
}

function causeOf(fields: unknown): string | undefined {
  if (typeof fields !== 'object' || fields === null) return undefined
  const error: unknown = ['err', 'error', 'e'].map((name) => (fields as Record<string, unknown>)[name]).find(Boolean)
  return error instanceof Error ? maskNumbers(`${error.name}: ${error.message}`).slice(0, 200) : undefined
}
