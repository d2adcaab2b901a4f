import {
  BufferJSON,
  proto,
  type AuthenticationCreds,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
} from '@whiskeysockets/baileys'
import { serializeCreds } from './creds.ts'
import type { LogEntry } from './log-record.ts'
import { damagedError } from '../../shared/session/session-error.ts'
import { CREDS_KEY, logKey } from './session-key.ts'
import type { SessionLog } from './session-log.ts'

/** A stored value as Baileys wants it back: as its own store gives it, bytes as Buffers. Throws session_damaged. */
function parseValue(type: keyof SignalDataTypeMap, bytes: Buffer): unknown {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'), BufferJSON.reviver)
  } catch {
    // Never with the parser's error as cause: it quotes the text.
    throw damagedError('session.log', `an entry of type ${type} is not JSON`, { type })
  }
  if (type !== 'app-state-sync-key' || typeof value !== 'object' || value === null) return value
  return proto.Message.AppStateSyncKeyData.fromObject(value)
}

/**
 * Baileys' key store over a log. `set` is one batch: whole or absent, durable when it resolves; it takes the values
 * as they are at the call. `get` answers null for what is not there, as Baileys' own store does (its transaction
 * cache counts on the key being present). Rejections are SessionErrors; Baileys swallows some, so the owner must
 * watch the log's `failed`.
 */
export function createKeyStore(log: SessionLog): SignalKeyStore {
  return {
    get: async <T extends keyof SignalDataTypeMap>(type: T, ids: string[]) => {
      const found: Record<string, unknown> = {}
      await Promise.all(
        ids.map(async (id) => {
          const bytes = await log.read(logKey(type, id))
          found[id] = bytes === undefined ? null : parseValue(type, bytes)
        }),
      )
      return found as { [id: string]: SignalDataTypeMap[T] }
    },
    set: (data: SignalDataSet) => log.append(toEntries(data)),
  }
}

function toEntries(data: SignalDataSet): LogEntry[] {
  const entries: LogEntry[] = []
  for (const [type, values] of Object.entries(data)) {
    for (const [id, value] of Object.entries<unknown>(values ?? {})) {
      const bytes =
        value === null || value === undefined ? null : Buffer.from(JSON.stringify(value, BufferJSON.replacer))
      entries.push({ key: logKey(type, id), value: bytes })
    }
  }
  return entries
}

/** The entry that stores these creds, as they are now. */
export function credsEntry(creds: AuthenticationCreds): LogEntry {
  return { key: CREDS_KEY, value: serializeCreds(creds) }
}
