import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'
import type { LogTarget } from './ipc.ts'
import { SERVICE_IDENTIFIER } from './journal-entry.ts'
import { openJournal, prefixedLine, prettyLine, type LogDestination } from './log-destination.ts'
import { boundOutput, type Output } from './log-output.ts'

/**
 * While the reader of stdout stands still, a process keeps so much for it and no more: the supervisor as for the journal, a
 * worker some thousand lines, since there are hundreds of them.
 */
export const MOST_WAITING_BYTES = { supervisor: 16 * 1024 * 1024, worker: 1024 * 1024 } as const

/**
 * The destination of a process's log. Never rejects: where the journal can't be written to with fields, its lines go
 * there by way of stdout, without.
 * @param identifier whose log it is, for the journal
 */
export async function openTarget(
  target: LogTarget,
  identifier: string,
  stdout: Output,
  clock: Clock,
): Promise<LogDestination> {
  const toStdout = (format: (json: string) => string): LogDestination => {
    const isSupervisor = identifier === SERVICE_IDENTIFIER
    const output = boundOutput(stdout, {
      mostBytes: isSupervisor ? MOST_WAITING_BYTES.supervisor : MOST_WAITING_BYTES.worker,
      tellDropped: (count) => format(droppedLine(count, isSupervisor ? undefined : identifier, clock)),
      clock,
    })
    return { write: (json) => output.write(format(json)), flushSync: () => output.flushSync?.() }
  }
  switch (target.kind) {
    case 'json':
      return toStdout((json) => json)
    case 'pretty':
      return toStdout((json) => prettyLine(json, target.colour))
    case 'journal':
      return openJournal(target.directory, identifier, clock).catch((error: unknown) => {
        stdout.write(`<4>log: entries of the journal go without fields: ${messageOf(error)}\n`)
        return toStdout(prefixedLine)
      })
    default:
      return target satisfies never
  }
}

/** A line as pino writes it: it stands for others that the log itself has no knowledge of. */
function droppedLine(count: number, accountId: string | undefined, clock: Clock): string {
  const time = new Date(clock.nowMs()).toISOString()
  const msg = 'Lines before this one are lost: the reader of stdout did not take them in time'
  return `${JSON.stringify({ level: 'warn', time, accountId, event: 'log.dropped', count, msg })}\n`
}
