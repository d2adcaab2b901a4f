import type { Clock } from './clock.ts'
import { messageOf } from './errors.ts'
import type { LogTarget } from './ipc.ts'
import {
  openJournal,
  prefixedDestination,
  prettyDestination,
  type LogDestination,
  type Output,
} from './log-destination.ts'

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
  switch (target.kind) {
    case 'json':
      return stdout
    case 'pretty':
      return prettyDestination(stdout, target.colour)
    case 'journal':
      return openJournal(target.directory, identifier, clock).catch((error: unknown) => {
        stdout.write(`<4>log: entries of the journal go without fields: ${messageOf(error)}\n`)
        return prefixedDestination(stdout)
      })
    default:
      return target satisfies never
  }
}
