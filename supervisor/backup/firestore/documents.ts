import { createHash, randomBytes } from 'node:crypto'
import type { DocumentSnapshot } from 'firebase-admin/firestore'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { BackupError, type AccountDocument, type ArchiveInfo, type SealedArchive } from '../target.ts'

/*
 * wa_accounts/{accountId}        AccountDocument, and the name that its backups have
 * wa_owners/{accountId}          the head: whose the account is (owner, epoch), and the name that its backups have
 * wa_hosts/{hostId}              name, version, lastSeenAt, released, beat (another each time)
 * wa_sessions/{name}-a, -b       revision `rev` is in slot a when even, else in b: two are always kept
 * wa_sessions/{name}-p{rev}-{checksum}-{i}  the parts of a revision that one document does not hold
 *
 * {name} is 32 random hex digits, made with the first claim: nothing of the account goes into it, so it tells nothing, to
 * somebody who guesses phone numbers either. Which account's it is stands in the head; and in the account's document, in
 * case that somebody deletes the head.
 *
 * Hours are stored as Timestamps, for people who look; they come back as epoch milliseconds. No query needs an index beyond
 * those that Firestore keeps by itself.
 */

/** Firestore's limit is 1 MiB a document, names and fields included. */
const LARGEST_DATA_BYTES = 900 * 1024

export interface Paths {
  readonly accounts: string
  account(accountId: string): string
  host(hostId: string): string
  head(accountId: string): string
  readonly sessions: string
  slot(name: string, rev: number): string
  slots(name: string): readonly [string, string]
  part(name: string, of: { rev: number; sha256: string }, at: number): string
}

/** `prefix`: before the name of each collection, so that two fleets can share a project. */
export function pathsOf(prefix: string): Paths {
  const sessions = `${prefix}wa_sessions`
  return {
    accounts: `${prefix}wa_accounts`,
    account: (accountId) => `${prefix}wa_accounts/${accountId}`,
    host: (hostId) => `${prefix}wa_hosts/${hostId}`,
    head: (accountId) => `${prefix}wa_owners/${accountId}`,
    sessions,
    slot: (name, rev) => `${sessions}/${name}-${rev % 2 === 0 ? 'a' : 'b'}`,
    slots: (name) => [`${sessions}/${name}-a`, `${sessions}/${name}-b`],
    // With the checksum: the same revision, sealed again or by another host, never overwrites the parts of a slot.
    part: (name, { rev, sha256 }, at) => `${sessions}/${name}-p${rev}-${sha256.slice(0, 16)}-${at}`,
  }
}

export function newName(): string {
  return randomBytes(16).toString('hex')
}

const Count = Type.Integer({ minimum: 0 })
const NullableText = Type.Union([Type.String(), Type.Null()])

const AccountFields = Type.Object({
  accountId: Type.String({ minLength: 1 }),
  name: Type.String(),
  phone: NullableText,
  desired: Type.Union([Type.Literal('running'), Type.Literal('paused'), Type.Literal('removed')]),
  status: Type.String(),
  reason: NullableText,
  createdAt: Type.String(),
  updatedAt: Type.Number(),
})
const NamedFields = Type.Object({ backups: Type.String({ pattern: '^[0-9a-f]{32}$' }) })
const HostFields = Type.Object({ name: Type.String(), released: Type.Boolean() })
const HeadFields = Type.Object({
  owner: Type.String(),
  ownerName: Type.String(),
  epoch: Count,
  claimedAt: Type.Number(),
  backups: NamedFields.properties.backups,
})
const MarkFields = Type.Object({ rev: Count, parts: Count, sha256: Type.String() })
const SlotFields = Type.Object({
  rev: Count,
  parts: Count,
  sha256: Type.String(),
  sessionRevision: Count,
  savedAt: Type.Number(),
  plainBytes: Count,
  sealedBytes: Count,
  keyId: Type.String(),
})

const accountFields = Compile(AccountFields)
const namedFields = Compile(NamedFields)
const hostFields = Compile(HostFields)
const headFields = Compile(HeadFields)
const markFields = Compile(MarkFields)
const slotFields = Compile(SlotFields)

export type Head = Static<typeof HeadFields>
/** What has to be known of a slot to write it. */
export type SlotMark = Static<typeof MarkFields>
export type Slot = Static<typeof SlotFields>

export const HEAD_FIELDS: readonly string[] = Object.keys(HeadFields.properties)
export const MARK_FIELDS: readonly string[] = Object.keys(MarkFields.properties)
/** All of a slot but its bytes. */
export const SLOT_FIELDS: readonly string[] = Object.keys(SlotFields.properties)

interface Check<T> {
  Check(value: unknown): value is T
}

/** The fields, hours as epoch ms; undefined where there is no document; `damaged` where it is not one of ours. */
function parse<T>(snapshot: DocumentSnapshot, fields: Check<T>): T | undefined {
  if (!snapshot.exists) return undefined
  const plain = Object.fromEntries(
    Object.entries(snapshot.data() ?? {}).map(([name, value]: [string, unknown]) => [name, withoutTimestamp(value)]),
  )
  if (fields.Check(plain)) return plain
  throw new BackupError(
    'damaged',
    `The document ${snapshot.ref.path} is not as it was written: a field is missing or of another kind. ` +
      'Restore it, or delete it to have it written anew.',
  )
}

function withoutTimestamp(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'toMillis' in value && typeof value.toMillis === 'function'
    ? (value.toMillis as () => number).call(value)
    : value
}

export const parseHead = (snapshot: DocumentSnapshot): Head | undefined => parse(snapshot, headFields)
export const parseHost = (snapshot: DocumentSnapshot): Static<typeof HostFields> | undefined =>
  parse(snapshot, hostFields)
/** The name that an account's document knows; undefined where it knows none. */
export function nameIn(snapshot: DocumentSnapshot): string | undefined {
  const data: unknown = snapshot.data()
  return namedFields.Check(data) ? data.backups : undefined
}
export const parseMark = (snapshot: DocumentSnapshot): SlotMark | undefined => parse(snapshot, markFields)
export const parseSlot = (snapshot: DocumentSnapshot): Slot | undefined => parse(snapshot, slotFields)

/** Rejects what is not an account's document with `damaged`. */
export function parseAccount(snapshot: DocumentSnapshot): AccountDocument | undefined {
  const fields = parse(snapshot, accountFields)
  if (fields === undefined) return undefined
  const { accountId, name, phone, desired, status, reason, createdAt, updatedAt } = fields
  return { accountId, name, phone, desired, status, reason, createdAt, updatedAtMs: updatedAt }
}

export function accountData({ updatedAtMs, ...account }: AccountDocument, backups: string): object {
  return { ...account, backups, updatedAt: new Date(updatedAtMs) }
}

export function infoOf(slot: Slot): ArchiveInfo {
  const { rev, sessionRevision, savedAt, plainBytes, sealedBytes, keyId } = slot
  return { rev, sessionRevision, savedAtMs: savedAt, plainBytes, sealedBytes, keyId }
}

/** An archive as documents: the slot's, and the parts' where one document does not hold it. */
export function layOut(
  archive: SealedArchive,
  epoch: number,
  largestBytes = LARGEST_DATA_BYTES,
): { slot: object; mark: SlotMark; parts: Buffer[] } {
  const { rev, sessionRevision, savedAtMs, plainBytes, keyId, sealed } = archive
  const parts: Buffer[] = []
  if (sealed.length > largestBytes) {
    for (let at = 0; at < sealed.length; at += largestBytes) parts.push(sealed.subarray(at, at + largestBytes))
  }
  const mark: SlotMark = { rev, parts: parts.length, sha256: sha256Of([sealed]) }
  const slot = {
    ...mark,
    epoch,
    sessionRevision,
    savedAt: new Date(savedAtMs),
    plainBytes,
    sealedBytes: sealed.length,
    keyId,
    ...(parts.length === 0 && { data: sealed }),
  }
  return { slot, mark, parts }
}

/** Puts an archive together again; `damaged` when it is not what was written. `parts`: undefined where one is missing. */
export function putTogether(accountId: string, slot: Slot, parts: readonly (Buffer | undefined)[]): SealedArchive {
  const which = `The backup of ${accountId}, revision ${slot.rev},`
  const missing = parts.findIndex((part) => part === undefined)
  if (missing >= 0) {
    const what = slot.parts === 0 ? 'its data' : `part ${missing + 1} of ${slot.parts}`
    throw new BackupError('damaged', `${which} is not whole: ${what} is missing.`)
  }
  const present = parts.filter((part) => part !== undefined)
  const sealed = Buffer.concat(present)
  if (sealed.length !== slot.sealedBytes || sha256Of(present) !== slot.sha256) {
    throw new BackupError(
      'damaged',
      `${which} is not what was written: ${sealed.length} bytes where ${slot.sealedBytes} were, or the checksum does not hold.`,
    )
  }
  return { ...infoOf(slot), sealed }
}

/** The bytes in a slot or a part; undefined where there are none. */
export function dataOf(snapshot: DocumentSnapshot): Buffer | undefined {
  const data: unknown = snapshot.exists ? snapshot.get('data') : undefined
  return Buffer.isBuffer(data) ? data : undefined
}

function sha256Of(pieces: readonly Buffer[]): string {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}
