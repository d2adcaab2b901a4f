import { pino, type DestinationStream, type Logger } from 'pino'

export type Log = Logger

/** LOG_LEVEL's values; pino's own names. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * The process's log: JSON lines, `event` dotted and past tense, values as fields. The redaction is the last wall, not the
 * first: nobody should log these fields, and a test reads everything that a run printed.
 */
export function createLog(level: LogLevel, destination: DestinationStream = process.stdout): Log {
  return pino(
    {
      level,
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
