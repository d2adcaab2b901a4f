import { readFileSync } from 'node:fs'
import { arch, cpus, totalmem } from 'node:os'

/** What the numbers were taken on. */
export function describeMachine(): Record<string, unknown> {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    arch: arch(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    service: versionOf('package.json'),
    baileys: versionOf('node_modules/@whiskeysockets/baileys/package.json'),
  }
}

function versionOf(path: string): string {
  const url = new URL(`../../../${path}`, import.meta.url)
  return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version
}

/** The load averages of 1, 5 and 15 minutes. */
export function loadAverage(): string {
  return readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ')
}

/** Linux counts in hundredths of a second (USER_HZ), on every architecture that Node runs on. */
const TICKS_PER_S = 100

/** CPU seconds, user and system, that a process has used; 0 where it is gone. */
export function cpuS(pid: number): number {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return 0
  }
  // The name, in parentheses, may have spaces: utime and stime are the 12th and 13th fields after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
}

/** Memory of a process in MiB: its share of what it shares, and what is its own alone; undefined where it is gone. */
export function memoryMib(pid: number): { pss: number; uss: number } | undefined {
  let rollup: string
  try {
    rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  } catch {
    return undefined
  }
  const mib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) / 1024
  return { pss: mib('Pss'), uss: mib('Private_Clean') + mib('Private_Dirty') }
}
