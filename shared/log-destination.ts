import { existsSync } from 'node:fs'
import type { Clock } from './clock.ts'
import { DatagramQueue, type QueueLimits } from './datagram-queue.ts'
import { encodeFields, encodeLine } from './journal-entry.ts'
import { describeLine, parseLine, priorityOf } from './log-line.ts'
import { loadUnixSockets } from './unix-sockets.ts'

/** Where lines of the log go. `line` is JSON with a newline, as pino writes it. Nothing of it waits or throws. */
export interface LogDestination {
  write(line: string): unknown
  /** At the end of the process: what waits is sent as far as that takes no time to speak of. */
  flushSync?(): void
}

/** A short line for a person at a terminal, by local time. */
export function prettyLine(json: string, colour: boolean): string {
  const line = parseLine(json)
  const { level, time, accountId } = line
  const hour = showHour(new Date(time))
  const shade = colour ? (SHADES[level] ?? '') : ''
  const end = shade === '' ? '' : '\x1b[0m'
  const account = accountId === null ? '' : ` ${accountId}`
  return `${hour} ${shade}${level.padEnd(5)}${end}${account} ${describeLine(line, false)}\n`
}

const SHADES: Readonly<Record<string, string>> = {
  fatal: '\x1b[1;31m',
  error: '\x1b[31m',
  warn: '\x1b[33m',
  info: '\x1b[32m',
  debug: '\x1b[2m',
}

function showHour(time: Date): string {
  const digits = (value: number, count: number): string => String(value).padStart(count, '0')
  const [hours, minutes, seconds] = [time.getHours(), time.getMinutes(), time.getSeconds()]
  return `${digits(hours, 2)}:${digits(minutes, 2)}:${digits(seconds, 2)}.${digits(time.getMilliseconds(), 3)}`
}

/** For an output that leads to the journal: `<4>` in front is the priority, each line is an entry. */
export function prefixedLine(json: string): string {
  const line = parseLine(json)
  return withPriority(describeLine(line, true), priorityOf(line.level))
}

/** @param priority syslog's: 3 is an error, 6 for information */
export function withPriority(text: string, priority: number): string {
  return text.replace(/^/gm, `<${priority}>`) + '\n'
}

/**
 * While journald hangs or restarts, a process keeps so much for it and no more, which is some 50,000 lines. What comes
 * beyond is lost, and the journal is told how much that was.
 */
export const JOURNAL_QUEUE: QueueLimits = { mostDatagrams: 65_536, mostBytes: 16 * 1024 * 1024 }
/** The end of a process waits no longer for a journal that hangs. */
const JOURNAL_FLUSH_MS = 500

/**
 * Entries with fields, straight to journald, from this process.
 * @param directory of journald's sockets
 * @param identifier whose log it is: what `journalctl -t` is asked for
 * @throws where there is no journal, or no unix datagrams for us
 */
export async function openJournal(directory: string, identifier: string, clock: Clock): Promise<LogDestination> {
  const path = `${directory}/socket`
  // It stays while journald restarts.
  if (!existsSync(path)) throw new Error(`there is no journald at ${path}`)
  const queue = new DatagramQueue({
    sockets: await loadUnixSockets(),
    path,
    limits: JOURNAL_QUEUE,
    clock,
    tellDropped: (count) =>
      encodeFields([
        ['MESSAGE', `log.dropped: ${count} lines before this one are lost: the journal did not take them in time`],
        ['PRIORITY', '4'],
        ['SYSLOG_IDENTIFIER', identifier],
        ['EVENT', 'log.dropped'],
        ['COUNT', String(count)],
      ]),
  })
  return {
    write: (line) => queue.send(encodeLine(parseLine(line), identifier)),
    flushSync: () => queue.flushSync(JOURNAL_FLUSH_MS),
  }
}
