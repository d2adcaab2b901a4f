import type { DesiredState } from '../../shared/states.ts'

/**
 * Where backups go, whatever it is made of. Every call ends: with a value, or with a BackupError, in at most the target's
 * own deadline; none of them throws anything else. Times are epoch milliseconds.
 */
export interface BackupTarget {
  /** The accounts as they were last written; all of them, whoever's. */
  readAccounts(): Promise<AccountDocument[]>
  /**
   * Replaces the account's document. One call at a time per account is the caller's to see to. Here and below: rejects with
   * owned_elsewhere, and has changed nothing, when the claim is no longer the account's.
   */
  writeAccount(account: AccountDocument, claim: Claim): Promise<void>
  /** Removes the account's document, both of its backups, and the claim. Nothing there is no error. */
  deleteAccount(accountId: string, claim: Claim): Promise<void>
  /** Says that this host is alive; `released`: that it has let go of everything. */
  writeHost(host: HostDocument): Promise<void>
  /**
   * Makes the account's backups this host's: where nobody has them, where this host had them, or where their host was not
   * seen for `leaseMs`. Rejects with owned_elsewhere.
   */
  claim(accountId: string, host: HostDocument, leaseMs: number): Promise<Claim>
  /**
   * Keeps a sealed archive as revision `archive.rev`, in place of the one before the last. Resolves with 'superseded' where
   * a revision as new is there already: a late write changes nothing.
   */
  writeArchive(accountId: string, claim: Claim, archive: SealedArchive): Promise<'written' | 'superseded'>
  /** Whose the account's backups are; null: nobody's. Changes nothing. */
  readOwner(accountId: string): Promise<Owner | null>
  /** What is kept of the account, newest first, without the bytes. */
  listArchives(accountId: string): Promise<ArchiveInfo[]>
  /** The bytes of one; rejects with not_found, or damaged (a part is missing, a checksum does not hold). */
  readArchive(accountId: string, rev: number): Promise<SealedArchive>
  /** Lets go of connections; calls under way are given up. */
  close(): Promise<void>
}

export interface AccountDocument {
  accountId: string
  name: string
  /** E.164. In the clear: whoever restores a fleet has to know whose phone is whose. */
  phone: string | null
  desired: DesiredState
  status: string
  reason: string | null
  createdAt: string
  updatedAtMs: number
}

export interface HostDocument {
  hostId: string
  /** Of the machine, for people. */
  name: string
  version: string
  lastSeenMs: number
  released: boolean
}

/** The right to write an account's document and its backups. */
export interface Claim {
  hostId: string
  /** Under which the target keeps the account's backups: another one after they were deleted. */
  name: string
  /** Grows with each claim; what an older one still writes is refused. */
  epoch: number
  /** The highest revision that is kept; 0 when there is none. */
  lastRev: number
}

export interface Owner {
  hostId: string
  name: string
  claimedAtMs: number
  /** By the target's own clock; null: it never said that it was alive. */
  seenAgoMs: number | null
  released: boolean
}

export interface ArchiveInfo {
  /** Of the backup; only grows. */
  rev: number
  /** Of the session's log when the archive was made. */
  sessionRevision: number
  savedAtMs: number
  /** Of the session's log, before compression. */
  plainBytes: number
  sealedBytes: number
  /** Which key opens it: see seal.ts. */
  keyId: string
}

export interface SealedArchive extends ArchiveInfo {
  sealed: Buffer
}

export type BackupErrorCode =
  /** Another host has the account; the message names it. */
  | 'owned_elsewhere'
  /** No answer in time, or none at all: try again later. */
  | 'unreachable'
  /** Over quota, or asked to slow down: try again much later. */
  | 'over_quota'
  /** The credentials are wrong or may not do this: a person has to act. */
  | 'refused'
  | 'not_found'
  /** What is kept is not what was written. */
  | 'damaged'
  /** Sealed with a key that is not configured. */
  | 'wrong_key'
  /** Anything else; the message says what. */
  | 'failed'

/** A message for the operator; never with a session's content, a key or credentials in it. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
  readonly code: BackupErrorCode

  constructor(code: BackupErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
  }
}
