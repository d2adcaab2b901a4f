import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../shared/errors.ts'
import type { Transition } from '../core/history-slots.ts'
import { dayOf, parseRecord, type HistoryRecord } from './record.ts'

/** The history's files of the past: read, and thrown away when they are old or too many. */
export interface KeepLimits {
  /** Before the present one, of which there is a file: a clock that jumps ahead makes nothing old. */
  days: number
  bytes: number
}
export const KEEP_LIMITS: KeepLimits = { days: 30, bytes: 128 * 1024 * 1024 }

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

/** What an account went through before a moment, newest first, with the spans in which the service was not running. */
export async function readTransitions(
  directory: string,
  accountId: string,
  beforeMs: number,
  limit: number,
): Promise<{ transitions: Transition[]; damaged: number }> {
  const found: Transition[] = []
  let damaged = 0
  const quoted = `"a":${JSON.stringify(accountId)}`
  const isOf = (line: string): boolean => line.includes(quoted) || !line.includes('"k":"s"')
  let followsMs: number | undefined
  for (const { name, dayMs } of await historyFiles(directory)) {
    if (dayMs > beforeMs) continue
    const read = await readHistoryFile(directory, name, isOf)
    damaged += read.damaged
    for (const record of read.records.reverse()) {
      // A start says that the service had not been running since whatever was written last before it.
      if (followsMs !== undefined && record.at < beforeMs) found.push(notRunning(record.at))
      followsMs = undefined
      if (record.k === 'start') followsMs = record.at
      if (record.k === 's' && record.v === undefined && record.at < beforeMs) {
        const { at, s, r, c, d } = record
        found.push({ atMs: at, status: s, reason: r, code: c ?? null, detail: d ?? null })
      }
    }
    if (found.length >= limit) {
      return { transitions: found.sort((a, b) => b.atMs - a.atMs).slice(0, limit), damaged }
    }
  }
  found.sort((a, b) => b.atMs - a.atMs)
  // Before the account there was nothing of it to be down.
  const end = 1 + found.findLastIndex(({ status }) => status !== 'not_running')
  return { transitions: found.slice(0, end), damaged }
}

export function notRunning(atMs: number): Transition {
  return { atMs, status: 'not_running', reason: null, code: null, detail: null }
}

/**
 * Removes the oldest of what is too much, by days or in all.
 * @param today the present day's file, there already or not: it stays
 */
export async function pruneHistory(directory: string, today: string, limits: KeepLimits): Promise<void> {
  let bytes = 0
  let days = 0
  for (const { name } of await historyFiles(directory)) {
    if (name === today) continue
    const path = join(directory, name)
    bytes += (await stat(path)).size
    if (++days > limits.days || bytes > limits.bytes) await unlink(path)
  }
}
