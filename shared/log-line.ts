/** A line of the log as it is read by whoever does not print it as JSON: parsed once, and put into words. */
export interface LogLine {
  readonly level: string
  /** ISO 8601. */
  readonly time: string
  readonly event: string | null
  readonly message: string
  readonly accountId: string | null
  /** An error's stack, several lines; null for most. */
  readonly stack: string | null
  /** Everything else, in the order in which it was logged. */
  readonly fields: readonly (readonly [string, unknown])[]
}

/** syslog's numbers. */
const PRIORITIES: Readonly<Record<string, number>> = { fatal: 2, error: 3, warn: 4, info: 6, debug: 7, trace: 7 }

export function priorityOf(level: string): number {
  return PRIORITIES[level] ?? 6
}

/** @param json a line as pino writes it */
export function parseLine(json: string): LogLine {
  const { level, time, event, msg, accountId, stack, ...rest } = JSON.parse(json) as Record<string, unknown>
  const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)
  return {
    level: text(level) ?? 'info',
    time: text(time) ?? '',
    event: text(event),
    message: text(msg) ?? '',
    accountId: text(accountId),
    stack: text(stack),
    fields: Object.entries(rest),
  }
}

/** A value of this length is data, not something to read. */
const LONGEST_VALUE = 500

/**
 * One line for a person: `connection.disconnected: Connection reason=connection_lost attempt=2`; a stack follows below.
 * What is null is left out, and points in time are shown as such.
 */
export function describeLine(line: LogLine, withAccount: boolean): string {
  const { event, message, accountId, stack, fields } = line
  const head = event === null ? message : message === '' ? event : `${event}: ${message}`
  const account = withAccount && accountId !== null ? [`accountId=${accountId}`] : []
  const shown = fields.flatMap(([name, value]) => (value === null ? [] : [showField(name, value)]))
  return [[head, ...account, ...shown].join(' '), ...(stack === null ? [] : [stack])].join('\n')
}

function showField(name: string, value: unknown): string {
  if (typeof value === 'number' && name.endsWith('AtMs') && Math.abs(value) < 8.64e15) {
    return `${name.slice(0, -2)}=${new Date(value).toISOString()}`
  }
  if (typeof value === 'number' || typeof value === 'boolean') return `${name}=${value}`
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const quoted = typeof value === 'string' && /[\s="]/.test(text) ? JSON.stringify(text) : text
  return `${name}=${quoted.length > LONGEST_VALUE ? `${quoted.slice(0, LONGEST_VALUE)}…` : quoted}`
}
