import { EXIT } from '../../shared/exit-codes.ts'
import type { Log } from '../../shared/log.ts'
import type { Account } from '../accounts/registry.ts'
import type { ProcessEnd } from './child-process.ts'
import type { MemoryWatch } from './memory-watch.ts'

/** What the end of a worker's process was. */
export interface WorkerEnd {
  /** Somebody asked for it, or it goes on in a fresh process. */
  wanted: boolean
  /** It had no session open, or has closed it; others have said so before. */
  flushed: boolean
  /** The kernel ended it, or its fork failed, because memory ran out. */
  outOfMemory: boolean
}

/** A worker that ends like this, as it may do while it is asked to stop, had no session open or has closed it. */
const NOTHING_TO_FLUSH: ReadonlySet<number> = new Set([EXIT.ok.code, EXIT.sessionDamaged.code, EXIT.sessionLocked.code])

/** @param account as it was before the end */
export function judgeEnd({ record, child }: Account, end: ProcessEnd, memory: Pick<MemoryWatch, 'judge'>): WorkerEnd {
  const { state } = child
  const killedHere = 'killed' in state && state.killed
  return {
    wanted: state.name === 'stopping' || end.code === EXIT.renew.code,
    flushed: end.code !== null && NOTHING_TO_FLUSH.has(end.code),
    outOfMemory: !killedHere && memory.judge(record.accountId, end),
  }
}

/** The line of the log. */
export function tellEnd(
  { record: { accountId }, process }: Account,
  { code, signal, error }: ProcessEnd,
  { wanted, outOfMemory }: Pick<WorkerEnd, 'wanted' | 'outOfMemory'>,
  log: Log,
): void {
  const cause = outOfMemory ? 'out of memory' : error?.message
  log[wanted ? 'info' : 'warn'](
    {
      event: 'child.exited',
      accountId,
      pid: process?.pid,
      code,
      signal,
      wanted,
      ...(cause === undefined ? {} : { cause }),
    },
    'Worker',
  )
}

/** What changes in an account when its process has ended. */
export function withoutProcess({ crashCount, process, cpuBeforeMs }: Account, wanted: boolean): Partial<Account> {
  return {
    process: null,
    cpuBeforeMs: cpuBeforeMs + (process?.cpu?.usedMs ?? 0),
    connection: null,
    qr: null,
    crashCount: crashCount + (wanted ? 0 : 1),
  }
}
