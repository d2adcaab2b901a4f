import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isAlive } from '../fixtures/supervisor-process.ts'

const WORKER_ENTRY = fileURLToPath(new URL('../../worker/main.js', import.meta.url))

export interface WorkerInfo {
  readonly pid: number
  readonly accountId: string
}

/**
 * The workers of these accounts that live, whoever forked them: those of a supervisor that was killed as well. Known by
 * their command line, which names the entry and the account; account ids are random, so another run's are not meant.
 */
export function workersOf(accountIds: ReadonlySet<string>): WorkerInfo[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid)) return []
    const command = read(`/proc/${pid}/cmdline`)?.split('\0') ?? []
    const accountId = command.find((argument) => accountIds.has(argument))
    return accountId !== undefined && command.includes(WORKER_ENTRY) && isAlive(pid) ? [{ pid, accountId }] : []
  })
}

/** Proportional set size in KiB: what is the process's own, and its share of what it shares; undefined when it is gone. */
export function pssOf(pid: number): number | undefined {
  const match = /^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '')
  return match ? Number(match[1]) : undefined
}

/** A process may go between two looks at it. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
