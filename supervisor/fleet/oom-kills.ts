import { readFileSync } from 'node:fs'

const V1 = '/sys/fs/cgroup/memory'
const V2 = '/sys/fs/cgroup'

/**
 * Where the kernel counts the processes that it has killed because memory ran out, best first: those of this process's own control
 * group, which its workers share (the unit's, a container's), else those of the whole machine.
 * @param cgroups what /proc/self/cgroup says
 */
export function oomCounters(cgroups: string): string[] {
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(cgroups)?.[1]
  const v2 = /^0::(.*)$/m.exec(cgroups)?.[1]
  return [
    // In a container the path may be the host's, and what is mounted the container's own group.
    ...(v1 === undefined ? [] : [`${V1}${v1}/memory.oom_control`, `${V1}/memory.oom_control`]),
    // `.local` is this group without those below it.
    ...(v2 === undefined ? [] : [`${V2}${v2}/memory.events.local`, `${V2}${v2}/memory.events`]),
    '/proc/vmstat',
  ]
}

/** Reads the best of them from now on; null where there is none (before Linux 4.13, some containers). */
export function openOomCounter(): () => number | null {
  const paths = oomCounters(read('/proc/self/cgroup') ?? '')
  const path = paths.find((candidate) => killsIn(candidate) !== null)
  return () => (path === undefined ? null : killsIn(path))
}

function killsIn(path: string): number | null {
  const count = /^oom_kill (\d+)$/m.exec(read(path) ?? '')?.[1]
  return count === undefined ? null : Number(count)
}

/** The kernel's own files: nothing waits for a disk. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
