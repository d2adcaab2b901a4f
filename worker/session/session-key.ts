/**
 * The names of a session's entries: in the log `type/id`, in Baileys' multi-file layout `type-id.json`.
 *
 * Baileys' layout replaces '/' by '__' and ':' by '-' in the whole name, which loses information; it is undone by what
 * the ids of each type can hold (Baileys 7.0.0-rc14, checked in its source):
 * - app-state-sync-key: base64, so "__" can only have been "/";
 * - sender-key: `group::user::device`, so the last two "--" were "::" (a group id may hold single dashes of its own);
 * - tctoken has an id "__index" of its own, and no id with '/' or ':'; the other types have neither.
 */
import type { SignalDataTypeMap } from '@whiskeysockets/baileys'

export type SignalType = keyof SignalDataTypeMap

/** Every type of rc14; the compiler holds the list complete. */
const TYPES: Record<SignalType, true> = {
  'pre-key': true,
  session: true,
  'sender-key': true,
  'sender-key-memory': true,
  'app-state-sync-key': true,
  'app-state-sync-version': true,
  'lid-mapping': true,
  'device-list': true,
  tctoken: true,
  'identity-key': true,
}
/** Longest first: 'sender-key-memory-x' must not be read as the sender-key 'memory-x'. */
const TYPES_BY_LENGTH = Object.keys(TYPES).sort((a, b) => b.length - a.length)

/** Entries that are ours and no Signal type; '@' begins no type. */
export const CREDS_KEY = '@creds'
/** Name of the directory that an import still moves its sources to; deleted when that is done. */
export const IMPORT_KEY = '@import'
/** When the disk was last asked to prove that it takes writes, epoch ms. */
export const PROOF_KEY = '@proof'
/** The type of the inbox's entries (core/inbox.ts); their ids are the messages' numbers. */
export const INBOX_TYPE = '@inbox'
/** What the last recovery kept and lost: see recover.ts. */
export const RECOVERY_KEY = '@recovery'

export const CREDS_FILE = 'creds.json'

export function logKey(type: string, id: string): string {
  return `${type}/${id}`
}

/** Type and id of a log key; undefined for our own entries. */
export function splitLogKey(key: string): { type: string; id: string } | undefined {
  const slash = key.indexOf('/')
  return slash <= 0 || key.startsWith('@') ? undefined : { type: key.slice(0, slash), id: key.slice(slash + 1) }
}

/** The file name that Baileys gives this key. */
export function stockFileName(type: string, id: string): string {
  return `${type}-${id}.json`.replace(/\//g, '__').replace(/:/g, '-')
}

/** Which key a file of Baileys' layout holds; undefined when its name is of no known type. */
export function parseStockFileName(name: string): { type: string; id: string } | undefined {
  if (!name.endsWith('.json')) return undefined
  const stem = name.slice(0, -'.json'.length)
  const type = TYPES_BY_LENGTH.find(
    (candidate) => stem.startsWith(`${candidate}-`) && stem.length > candidate.length + 1,
  )
  return type === undefined ? undefined : { type, id: decodeId(type, stem.slice(type.length + 1)) }
}

function decodeId(type: string, id: string): string {
  if (type === 'app-state-sync-key') return id.replace(/__/g, '/')
  if (type !== 'sender-key') return id
  const match = /^(.+)--(.+)--(\d+)$/.exec(id)
  return match === null ? id : `${match[1]}::${match[2]}::${match[3]}`
}
