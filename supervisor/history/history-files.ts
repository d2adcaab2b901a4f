import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errors.ts'
import { dayOf, parseRecord, type HistoryRecord } from './record.ts'

/** The history's files of the past: read, and thrown away when they are old or too many. */
export interface KeepLimits {
  days: number
  bytes: number
}
export const KEEP_LIMITS: KeepLimits = { days: 30, bytes: 128 * 1024 * 1024 }

const DAY_MS = 86_400_000

/** Newest first; none where the directory is not there yet. */
export async function historyFiles(directory: string): Promise<{ name: string; dayMs: number }[]> {
  let names: string[]
  try {
    names = await readdir(directory)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
  const files = names.flatMap((name) => {
    const dayMs = dayOf(name)
    return dayMs === undefined ? [] : [{ name, dayMs }]
  })
  return files.sort((a, b) => b.dayMs - a.dayMs)
}

/**
 * The records of a file in the order in which they were written. Lines that can't be read are left out and counted.
 * @param wanted a quick look at the line, before it is read
 */
export async function readHistoryFile(
  directory: string,
  name: string,
  wanted: (line: string) => boolean = () => true,
): Promise<{ records: HistoryRecord[]; damaged: number }> {
  const text = await readFile(join(directory, name), 'utf8')
  const records: HistoryRecord[] = []
  let damaged = 0
  for (const line of text.split('\n')) {
    if (line === '' || !wanted(line)) continue
    const record = parseRecord(line)
    if (record === undefined) damaged++
    else records.push(record)
  }
  return { records, damaged }
}

/** Removes what is older than the limits allow, and the oldest of what is too much in all. */
export async function pruneHistory(directory: string, nowMs: number, limits: KeepLimits): Promise<void> {
  let bytes = 0
  for (const { name, dayMs } of await historyFiles(directory)) {
    const path = join(directory, name)
    bytes += (await stat(path)).size
    if (nowMs - dayMs > limits.days * DAY_MS || bytes > limits.bytes) await unlink(path)
  }
}
