import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BUNDLE_FILES } from '../../shared/worker-process.ts'
import { isAlive } from '../fixtures/supervisor-process.ts'

/** Of the bundle, and of the compiled files. */
const WORKER_ENTRIES = [`bundle/${BUNDLE_FILES.loader}`, 'worker/main.js'].map((path) =>
  fileURLToPath(new URL(`../../${path}`, import.meta.url)),
)

export interface WorkerInfo {
  readonly pid: number
  readonly accountId: string
}

/**
 * The workers of these accounts that live, whoever forked them: those of a supervisor that was killed as well. Known by
 * their command line, which names the entry and the account, and by the working directory, which they have from the run's
 * supervisors: an account's id comes from its phone, so other tests have workers of the same name.
 */
export function workersOf(accountIds: ReadonlySet<string>, directory: string): WorkerInfo[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid)) return []
    const command = read(`/proc/${pid}/cmdline`)?.split('\0') ?? []
    const accountId = command.find((argument) => accountIds.has(argument))
    const isWorker = WORKER_ENTRIES.some((entry) => command.includes(entry))
    const isOurs = accountId !== undefined && isWorker && directoryOf(pid) === directory
    return isOurs && isAlive(pid) ? [{ pid, accountId }] : []
  })
}

function directoryOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/**
 * Memory that is the process' own, in KiB; undefined for one that is gone. Not its share of what it has in common with
 * others (PSS): that grows by tens of MiB when other Node processes of the machine end.
 */
export function ussOf(pid: number): number | undefined {
  const rollup = read(`/proc/${pid}/smaps_rollup`)
  if (rollup === undefined) return undefined
  const parts = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].map(([, kib]) => Number(kib))
  return parts.length === 0 ? undefined : parts.reduce((sum, kib) => sum + kib, 0)
}

/** A process may go between two looks at it. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
