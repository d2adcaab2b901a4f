import { readFileSync } from 'node:fs'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'

/**
 * Ends a worker of a supervisor that is no more. Workers leave by themselves within seconds of losing their supervisor; one
 * whose event loop hangs does not, and would keep its session directory locked for ever.
 *
 * @param pid who holds the lock of an account's directory. This supervisor holds the lock of them all, so a worker that is
 * not its own child can only be what an earlier one left; anything but a worker of this account is left alone.
 * @param workerEntries of workers of this installation, bundled and not: the earlier supervisor may have been set otherwise
 * @returns whether it was killed
 */
export function killOrphan(pid: number, accountId: string, workerEntries: readonly string[], log: Log): boolean {
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const isWorker = workerEntries.some((entry) => commandLine.includes(entry)) && commandLine.includes(accountId)
    if (!isWorker || parentOf(pid) === process.pid) return false
    process.kill(pid, 'SIGKILL')
    log.warn({ event: 'child.orphan_killed', accountId, pid }, 'A worker that an earlier supervisor left hung on')
    return true
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ESRCH') {
      log.warn({ event: 'child.orphan_kept', accountId, pid, cause: messageOf(error) }, 'Worker')
    }
    return false
  }
}

/** The fourth field of /proc/PID/stat, behind the name in brackets, which may hold anything. */
function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}
