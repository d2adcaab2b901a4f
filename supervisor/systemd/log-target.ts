import { fstatSync } from 'node:fs'
import type { LogTarget } from '../../shared/ipc.ts'
import type { LogFormat } from '../config.ts'

export interface Surroundings {
  /** stdout is a terminal. */
  isTerminal: boolean
  /** The person does not want colours (NO_COLOR). */
  isColourless: boolean
  /** stderr or stdout leads to the journal. */
  leadsToJournal: boolean
}

/** Where the log goes, of the supervisor and its workers. */
export function chooseTarget(format: LogFormat, journalSockets: string, around: Surroundings): LogTarget {
  const journal: LogTarget = { kind: 'journal', directory: journalSockets }
  const pretty: LogTarget = { kind: 'pretty', colour: around.isTerminal && !around.isColourless }
  switch (format) {
    case 'journal':
      return journal
    case 'pretty':
      return pretty
    case 'json':
      return { kind: 'json' }
    case 'auto':
      if (around.leadsToJournal) return journal
      return around.isTerminal ? pretty : { kind: 'json' }
    default:
      return format satisfies never
  }
}

/**
 * Whether an output of this process is the one that systemd connected to the journal: it may have been redirected since.
 * @param journalStream $JOURNAL_STREAM: device and inode
 */
export function leadsToJournal(journalStream: string | undefined | null): boolean {
  if (!journalStream) return false
  return [1, 2].some((fd) => {
    const { dev, ino } = fstatSync(fd, { bigint: true })
    return journalStream === `${dev}:${ino}`
  })
}
