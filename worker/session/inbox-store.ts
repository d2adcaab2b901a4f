import type { SignalDataSet } from '@whiskeysockets/baileys'
import { damagedError } from '../../shared/session/session-error.ts'
import type { Addition, InboxRecord } from '../core/inbox.ts'
import { INBOX_TYPE, logKey } from './session-key.ts'

/** What the inbox's keys in a log begin with. */
export const INBOX_PREFIX = logKey(INBOX_TYPE, '')

/** What of a log this needs; session-log.ts has it. */
export interface InboxLog {
  keys(): Iterable<string>
  read(key: string): Promise<Buffer | undefined>
}

/** The records of the inbox, in no particular order. Rejects with session_damaged, storage_failed. */
export async function readInbox(log: InboxLog): Promise<InboxRecord[]> {
  const keys = [...log.keys()].filter((key) => key.startsWith(INBOX_PREFIX))
  return Promise.all(keys.map(async (key) => parseRecord(await log.read(key))))
}

/**
 * An addition as Baileys' key store takes it: set within a transaction, it becomes part of what that commits. Baileys
 * passes types that it does not know on as they are.
 */
export function inboxData({ record, forget }: Addition): SignalDataSet {
  const values: Record<string, InboxRecord | null> = { [record.sequence]: record }
  for (const sequence of forget) values[sequence] = null
  return { [INBOX_TYPE]: values } as SignalDataSet
}

function parseRecord(bytes: Buffer | undefined): InboxRecord {
  let value: unknown
  try {
    value = JSON.parse(bytes?.toString('utf8') ?? '')
  } catch {
    throw damagedError('session.log', 'an entry of the inbox is not JSON')
  }
  if (!isRecord(value)) throw damagedError('session.log', 'an entry of the inbox is not what this version writes')
  return value
}

function isRecord(value: unknown): value is InboxRecord {
  if (typeof value !== 'object' || value === null) return false
  const { stream, sequence, id, stanza, atMs, taken } = value as Record<string, unknown>
  const words = [stream, id, stanza].every((field) => typeof field === 'string')
  return words && [sequence, atMs, taken].every((field) => Number.isSafeInteger(field))
}
