import { describeLine, priorityOf, type LogLine } from './log-line.ts'

/**
 * A log line as an entry of the journal (its native protocol): MESSAGE is text for a person, and everything else is a
 * field that journalctl can be asked for: EVENT, ACCOUNT_ID, REASON, ATTEMPT, NEXT_TRY_AT_MS ...
 */

/** The service's own; a worker's is its account's id. */
export const SERVICE_IDENTIFIER = 'whatsapp-backend'

const MESSAGE_MOST_BYTES = 32 * 1024
const FIELD_MOST_BYTES = 8 * 1024
/** Datagrams above the send buffer (208 KiB by default) are refused whole. */
const ENTRY_MOST_BYTES = 128 * 1024

/** What the journal has a meaning for, or is set here. */
const TAKEN =
  /^(MESSAGE|MESSAGE_ID|PRIORITY|CODE_(FILE|LINE|FUNC)|ERRNO|(USER_)?INVOCATION_ID|SYSLOG_.*|DOCUMENTATION|TID|(USER_)?UNIT|OBJECT_.*|COREDUMP.*|ACCOUNT_ID|EVENT)$/

/**
 * A line about one account that is not the account's own (the supervisor's: killed, restarted) has two identifiers:
 * `journalctl -t` finds it under both, so that one account's log tells the whole story.
 * @param identifier whose log it is: SERVICE_IDENTIFIER, or the account's id
 */
export function encodeLine(line: LogLine, identifier: string): Buffer {
  const { level, event, accountId, fields } = line
  const isForeign = accountId !== null && accountId !== identifier
  return encodeFields([
    ['MESSAGE', clip(describeLine(line, isForeign), MESSAGE_MOST_BYTES)],
    ['PRIORITY', String(priorityOf(level))],
    ['SYSLOG_IDENTIFIER', identifier],
    ...(isForeign ? ([['SYSLOG_IDENTIFIER', accountId]] as const) : []),
    ...(accountId === null ? [] : ([['ACCOUNT_ID', accountId]] as const)),
    ...(event === null ? [] : ([['EVENT', event]] as const)),
    ...fields.flatMap(([name, value]) => fieldOf(name, value)),
  ])
}

function fieldOf(name: string, value: unknown): readonly (readonly [string, string])[] {
  if (value === null) return []
  const upper = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()
  const known = TAKEN.test(upper) ? `FIELD_${upper}` : upper
  // The journal drops an entry's fields whose names it does not allow; nobody here has one.
  if (!/^[A-Z][A-Z0-9_]{0,63}$/.test(known)) return []
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return [[known, clip(text, FIELD_MOST_BYTES)]]
}

/** A value with a newline goes with its length in front of it, so that no value can bring a field of its own. */
export function encodeFields(fields: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = []
  let sizeBytes = 0
  for (const [name, value] of fields) {
    const part = value.includes('\n') ? encodeLong(name, value) : Buffer.from(`${name}=${value}\n`)
    if (sizeBytes + part.length > ENTRY_MOST_BYTES) break
    sizeBytes += part.length
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function encodeLong(name: string, value: string): Buffer {
  const bytes = Buffer.from(value)
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(bytes.length))
  return Buffer.concat([Buffer.from(`${name}\n`), size, bytes, Buffer.from('\n')])
}

function clip(text: string, mostBytes: number): string {
  if (text.length * 3 <= mostBytes) return text
  const bytes = Buffer.from(text)
  return bytes.length <= mostBytes ? text : `${bytes.toString('utf8', 0, mostBytes)}…`
}
