import { pino, type DestinationStream, type Logger } from 'pino'
import { systemClock } from './clock.ts'
import { FloodGuard } from './log-flood.ts'

export type Log = Logger

/** LOG_LEVEL's values; pino's own names. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** pino's number of that level. */
const INFO = 30

/**
 * The process's log: JSON lines, `event` dotted and past tense, values as fields. The redaction is the last wall, not the
 * first: nobody should log these fields, and a test reads everything that a run printed. Of one event (of one account) so
 * many lines a minute are printed, the rest is counted; who asks for debug lines wants them all.
 */
export function createLog(level: LogLevel, destination: DestinationStream = process.stdout): Log {
  const flood = new FloodGuard(() => systemClock.monotonicMs())
  return pino(
    {
      level,
      hooks: {
        logMethod(args, method, levelNumber) {
          const [fields] = args as unknown[]
          const kind = levelNumber < INFO ? undefined : kindOf(fields)
          const suppressed = kind === undefined ? 0 : flood.admit(kind)
          if (suppressed === undefined) return
          if (suppressed > 0 && typeof fields === 'object') args[0] = { ...fields, suppressed }
          method.apply(this, args)
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
    destination,
  )
}

/** What lines have in common that say the same thing: the event, and the account where it is a field of the line. */
function kindOf(fields: unknown): string | undefined {
  if (typeof fields !== 'object' || fields === null || !('event' in fields)) return undefined
  const account = 'accountId' in fields ? String(fields.accountId) : ''
  return `${String(fields.event)} ${account}`
}
