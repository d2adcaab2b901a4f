import { pino, type Logger } from 'pino'
import { systemClock, type Clock } from './clock.ts'
import type { LogDestination } from './log-destination.ts'
import { FloodGuard, type FloodLimits } from './log-flood.ts'

export type Log = Logger

/** LOG_LEVEL's values; pino's own names. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** pino's number of that level. */
const INFO = 30

/**
 * The process's log: JSON lines, `event` dotted and past tense, values as fields; each goes to every destination. The
 * redaction is the last wall, not the first: nobody should log these fields, and a test reads everything that a run
 * printed. Of one event (of one account) so many lines a minute are printed, the rest is counted; who asks for debug
 * lines wants them all. `log.flush()` belongs at the end of the process: it says what was counted, and waits a moment for
 * destinations that lag.
 */
export function createLog(
  level: LogLevel,
  destinations: LogDestination | readonly LogDestination[] = process.stdout,
  clock: Clock = systemClock,
  limits?: FloodLimits,
): Log {
  const all = 'write' in destinations ? [destinations] : destinations
  const flood = new FloodGuard(() => clock.monotonicMs(), limits)
  let isTimed = false
  const timeFlood = (): void => {
    if (isTimed) return
    const { dueMs } = flood
    if (dueMs === undefined) return
    isTimed = true
    const tell = (): void => {
      isTimed = false
      flood.tellOver()
      timeFlood()
    }
    clock.setTimer(dueMs - clock.monotonicMs(), tell, { unref: true })
  }
  const everywhere = {
    write: (line: string) => {
      for (const destination of all) destination.write(line)
    },
    // pino's own name for it, called by log.flush().
    flush: () => {
      flood.tellAll()
      for (const destination of all) destination.flushSync?.()
    },
  }
  return pino(
    {
      level,
      hooks: {
        logMethod(args, method, levelNumber) {
          const [fields] = args as unknown[]
          const kind = levelNumber < INFO ? undefined : kindOf(fields)
          if (kind === undefined) return method.apply(this, args)
          const tell = (suppressed: number): void => {
            method.apply(this, [{ ...kind, suppressed }, 'More lines like this were not printed'])
          }
          if (flood.admit(`${kind.event} ${kind.accountId ?? ''}`, tell)) method.apply(this, args)
          else timeFlood()
        },
      },
      base: null,
      messageKey: 'msg',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: [
          'authorization',
          'token',
          'qr',
          'creds',
          'keys',
          '*.authorization',
          '*.token',
          '*.qr',
          '*.creds',
          '*.keys',
        ],
        censor: '[redacted]',
      },
    },
    everywhere,
  )
}

/** What lines have in common that say the same thing: the event, and the account where it is a field of the line. */
function kindOf(fields: unknown): { event: string; accountId?: string } | undefined {
  if (typeof fields !== 'object' || fields === null || !('event' in fields)) return undefined
  const event = String(fields.event)
  return 'accountId' in fields ? { event, accountId: String(fields.accountId) } : { event }
}
