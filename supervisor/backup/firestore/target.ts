import { randomUUID } from 'node:crypto'
import type { DocumentReference, DocumentSnapshot, Firestore, Transaction } from 'firebase-admin/firestore'
import type { Clock } from '../../../shared/clock.ts'
import { LATE, withDeadline } from '../../../shared/deadline.ts'
import { messageOf } from '../../../shared/errors.ts'
import type { Log } from '../../../shared/log.ts'
import {
  BackupError,
  type AccountDocument,
  type ArchiveInfo,
  type BackupTarget,
  type Claim,
  type HostDocument,
  type Owner,
  type SealedArchive,
} from '../target.ts'
import { Calls } from './calls.ts'
import {
  accountData,
  dataOf,
  HEAD_FIELDS,
  infoOf,
  layOut,
  MARK_FIELDS,
  nameIn,
  newName,
  parseAccount,
  parseHead,
  parseHost,
  parseMark,
  parseSlot,
  pathsOf,
  putTogether,
  SLOT_FIELDS,
  type Head,
  type Paths,
  type SlotMark,
} from './documents.ts'
import { Parts } from './parts.ts'

/** Nobody waits longer for a read: boot goes on from the disk. */
const LONGEST_READ_MS = 10_000
/** The client's own retries are off as well (retry-limits.ts): a transaction that fails is the caller's to repeat. */
const ONCE = { maxAttempts: 1 }

export interface FirestoreTargetOptions {
  /** Before each collection's name. */
  prefix: string
  /**
   * Of one step, ms; a step that reads has at most 10 s. Deleting an account is two steps, an archive of n parts is n + 1 to
   * write and up to n + 2 to read, everything else is one.
   */
  deadlineMs: number
  clock: Clock
  log: Log
  /** Lets go of the connection, and settles when that is done. */
  disconnect: () => Promise<void>
  /** What one document holds of an archive; a test makes it small. */
  largestDataBytes?: number
}

/**
 * Backups in Firestore. What is where: documents.ts. Invariants:
 * - whose an account's backups are stands in its head alone, and changes in transactions alone; the epoch grows with each claim
 * - an account's document and its slots are written and deleted in transactions that saw the head as the claim has it, a
 *   slot in one that saw an older revision in it: a write that lands late changes nothing
 * - a slot is written after its parts; the parts of what it held before are deleted after it: a slot is always whole
 * - one write is under way per account and kind of document; what was given up still counts until it has settled
 */
export class FirestoreTarget implements BackupTarget {
  readonly #db: Firestore
  readonly #options: FirestoreTargetOptions
  readonly #calls: Calls
  readonly #paths: Paths
  readonly #parts: Parts
  readonly #readMs: number
  /** Accounts of whose parts it is known that all are of a slot; any other may have some of a write that broke off. */
  readonly #swept = new Set<string>()
  #closing: Promise<void> | undefined

  constructor(db: Firestore, options: FirestoreTargetOptions) {
    this.#db = db
    this.#options = options
    this.#calls = new Calls(options.clock)
    this.#paths = pathsOf(options.prefix)
    this.#parts = new Parts(db, this.#paths)
    this.#readMs = Math.min(options.deadlineMs, LONGEST_READ_MS)
  }

  async readAccounts(): Promise<AccountDocument[]> {
    const found = await this.#calls.read('Reading the accounts', this.#readMs, () =>
      this.#db.collection(this.#paths.accounts).get(),
    )
    return found.docs.flatMap((snapshot) => {
      try {
        return parseAccount(snapshot) ?? []
      } catch (error) {
        // One that somebody edited must not keep the others from coming back.
        this.#options.log.warn({ event: 'backup.account_unreadable', problem: messageOf(error) }, 'left out an account')
        return []
      }
    })
  }

  async writeAccount(account: AccountDocument, claim: Claim): Promise<void> {
    const { accountId } = account
    await this.#calls.write(`account ${accountId}`, `Writing account ${accountId}`, this.#options.deadlineMs, () =>
      this.#transaction(async (transaction) => {
        this.#holdToClaim(accountId, claim, await this.#headOf(accountId, transaction))
        transaction.set(this.#doc(this.#paths.account(accountId)), accountData(account, claim.name))
      }),
    )
  }

  async writeHost(host: HostDocument): Promise<void> {
    const { hostId, name, version, lastSeenMs, released } = host
    // A write that changes nothing leaves the server's hour of the document as it was, and that hour is what a lease is
    // measured by: so each one is another.
    const data = { name, version, lastSeenAt: new Date(lastSeenMs), released, beat: randomUUID() }
    await this.#calls.write(`host ${hostId}`, 'Writing this host', this.#options.deadlineMs, () =>
      this.#doc(this.#paths.host(hostId)).set(data),
    )
  }

  async claim(accountId: string, host: HostDocument, leaseMs: number): Promise<Claim> {
    const what = `Claiming the backups of ${accountId}`
    return this.#calls.write(`session ${accountId}`, what, this.#options.deadlineMs, () =>
      this.#transaction(async (transaction) => {
        const headSnapshot = await transaction.get(this.#doc(this.#paths.head(accountId)))
        const head = parseHead(headSnapshot)
        if (head !== undefined && head.owner !== host.hostId) {
          await this.#refuseIfAlive(transaction, accountId, { head, headSnapshot, leaseMs })
        }
        const name = head?.backups ?? (await this.#nameOfAccount(accountId, transaction)) ?? newName()
        const slots = await this.#getAll(transaction, this.#paths.slots(name), MARK_FIELDS)
        const epoch = (head?.epoch ?? 0) + 1
        transaction.set(this.#doc(this.#paths.head(accountId)), {
          owner: host.hostId,
          ownerName: host.name,
          epoch,
          claimedAt: new Date(this.#options.clock.nowMs()),
          backups: name,
        } satisfies Record<keyof Head, unknown>)
        const lastRev = Math.max(0, ...slots.map((slot) => parseMark(slot)?.rev ?? 0))
        return { hostId: host.hostId, name, epoch, lastRev }
      }),
    )
  }

  async writeArchive(accountId: string, claim: Claim, archive: SealedArchive): Promise<'written' | 'superseded'> {
    const { slot, mark, parts } = layOut(archive, claim.epoch, this.#options.largestDataBytes)
    const what = `Writing revision ${archive.rev} of ${accountId}`
    const deadlineMs = this.#options.deadlineMs * (parts.length + 1)
    return this.#calls.write(`session ${accountId}`, what, deadlineMs, async () => {
      // Whatever breaks off from here on may leave parts behind.
      const wasSwept = this.#swept.delete(accountId)
      // One by one: a request has a limit of 10 MiB, and on a slow line all of them would run into their deadlines.
      for (const [at, data] of parts.entries()) {
        const path = this.#paths.part(claim.name, mark, at)
        const of = { partOf: claim.name, epoch: claim.epoch, rev: mark.rev, sha256: mark.sha256 }
        await this.#doc(path).set({ ...of, data })
      }
      const before = await this.#replaceSlot(accountId, claim, mark.rev, slot)
      if (before === 'superseded') return before
      try {
        if (!wasSwept) await this.#parts.sweep(claim)
        else if (before !== undefined) await this.#parts.deleteOf(claim.name, before)
        this.#swept.add(accountId)
      } catch (error) {
        // The backup is safe; what is left over goes with the next one.
        this.#options.log.warn(
          { event: 'backup.parts_left', accountId, problem: messageOf(error) },
          'left parts behind',
        )
      }
      return 'written'
    })
  }

  async readOwner(accountId: string): Promise<Owner | null> {
    const what = `Reading whose the backups of ${accountId} are`
    return this.#calls.read(what, this.#readMs, async () => {
      const head = await this.#headOf(accountId)
      if (head === undefined) return null
      const snapshot = await this.#doc(this.#paths.host(head.owner)).get()
      const host = parseHost(snapshot)
      const seenMs = snapshot.updateTime?.toMillis()
      return {
        hostId: head.owner,
        name: head.ownerName,
        claimedAtMs: head.claimedAt,
        seenAgoMs: seenMs === undefined ? null : Math.max(0, snapshot.readTime.toMillis() - seenMs),
        released: host?.released === true,
      }
    })
  }

  async listArchives(accountId: string): Promise<ArchiveInfo[]> {
    const slots = await this.#calls.read(`Reading the backups of ${accountId}`, this.#readMs, async () => {
      const name = await this.#nameOf(accountId)
      return name === undefined ? [] : this.#getAll(this.#db, this.#paths.slots(name), SLOT_FIELDS)
    })
    const present = slots.filter(({ exists }) => exists)
    const infos = present.flatMap((snapshot) => {
      try {
        return parseSlot(snapshot) ?? []
      } catch (error) {
        // The other one may be good, and is what a restore needs now.
        if (present.length === 1) throw error
        const problem = messageOf(error)
        this.#options.log.warn({ event: 'backup.slot_unreadable', accountId, problem }, 'left out a backup')
        return []
      }
    })
    if (infos.length === 0 && present.length > 0) {
      throw new BackupError('damaged', `Neither of the two backups of ${accountId} is as it was written.`)
    }
    return infos.map(infoOf).sort((one, other) => other.rev - one.rev)
  }

  async readArchive(accountId: string, rev: number): Promise<SealedArchive> {
    const what = `Reading revision ${rev} of ${accountId}`
    const name = await this.#calls.read(what, this.#readMs, () => this.#nameOf(accountId))
    if (name === undefined) throw notKept(accountId, rev)
    const path = this.#paths.slot(name, rev)
    const snapshot = await this.#calls.read(what, this.#readMs, () => this.#doc(path).get())
    const slot = parseSlot(snapshot)
    if (slot?.rev !== rev) throw notKept(accountId, rev)
    if (slot.parts === 0) return putTogether(accountId, slot, [dataOf(snapshot)])
    const parts = []
    for (let at = 0; at < slot.parts; at++) {
      const part = await this.#calls.read(what, this.#readMs, () => this.#doc(this.#paths.part(name, slot, at)).get())
      parts.push(dataOf(part))
    }
    // A part may be missing because a newer revision took the slot meanwhile: that is no damage.
    if (parts.includes(undefined)) {
      const [now] = await this.#calls.read(what, this.#readMs, () => this.#getAll(this.#db, [path], MARK_FIELDS))
      if (now === undefined || parseMark(now)?.rev !== rev) throw notKept(accountId, rev)
    }
    return putTogether(accountId, slot, parts)
  }

  async deleteAccount(accountId: string, claim: Claim): Promise<void> {
    const what = `Deleting the backups of ${accountId}`
    const { deadlineMs } = this.#options
    const [account, head, ...slots] = [
      this.#paths.account(accountId),
      this.#paths.head(accountId),
      ...this.#paths.slots(claim.name),
    ].map((path) => this.#doc(path))
    if (account === undefined || head === undefined) return
    await this.#calls.write(`session ${accountId}`, what, deadlineMs, async () => {
      await this.#deleteAs(accountId, claim, slots)
      await this.#parts.deleteAll(claim.name)
      this.#swept.delete(accountId)
    })
    // The head goes last: as long as it is there, whatever was broken off is found and done again; a write that was given up
    // finds none afterwards, and is refused. After the account's own writes, one of which would bring its document back.
    await this.#calls.write(`account ${accountId}`, what, deadlineMs, () =>
      this.#deleteAs(accountId, claim, [account, head]),
    )
  }

  /** For a host that will not come back: whatever it had is free to be claimed at once. */
  async deleteHost(hostId: string): Promise<void> {
    await this.#calls.write(`host ${hostId}`, `Deleting host ${hostId}`, this.#options.deadlineMs, () =>
      this.#doc(this.#paths.host(hostId)).delete(),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { disconnect, deadlineMs, clock, log } = this.#options
    this.#calls.close()
    try {
      // The client waits for calls under way; each of them ends by its own deadline.
      const end = await withDeadline(disconnect(), deadlineMs, clock)
      if (end === LATE)
        log.warn({ event: 'backup.close_late', pending: this.#calls.pending }, 'left Firestore without an answer')
    } catch (error) {
      log.warn({ event: 'backup.close_failed', problem: messageOf(error) }, 'left Firestore with an error')
    }
  }

  /** Rejects with owned_elsewhere when the account's owner has been seen within the lease. */
  async #refuseIfAlive(
    transaction: Transaction,
    accountId: string,
    { head, headSnapshot, leaseMs }: { head: Head; headSnapshot: DocumentSnapshot; leaseMs: number },
  ): Promise<void> {
    const snapshot = await transaction.get(this.#doc(this.#paths.host(head.owner)))
    const owner = parseHost(snapshot)
    if (owner?.released === true) return
    // Both hours are the server's: the clocks of two hosts may differ by more than a lease. An owner that never said it was
    // alive counts from its claim.
    const seenMs = (owner === undefined ? headSnapshot : snapshot).updateTime?.toMillis() ?? 0
    const ageMs = snapshot.readTime.toMillis() - seenMs
    if (ageMs < leaseMs) throw ownedElsewhere(accountId, head, `was seen ${Math.round(ageMs / 1000)} s ago`)
  }

  #holdToClaim(accountId: string, claim: Claim, head: Head | undefined): void {
    if (head === undefined) {
      throw new BackupError(
        'owned_elsewhere',
        `The backups of ${accountId} are nobody's any more: they were deleted while this host had them. Claim them again.`,
      )
    }
    if (head.owner !== claim.hostId || head.epoch !== claim.epoch || head.backups !== claim.name) {
      throw ownedElsewhere(
        accountId,
        head,
        head.owner === claim.hostId ? 'is this host, started anew' : 'took them over',
      )
    }
  }

  /** What the slot held before; 'superseded' when it holds a revision as new, and was left alone. */
  #replaceSlot(
    accountId: string,
    claim: Claim,
    rev: number,
    slot: object,
  ): Promise<SlotMark | undefined | 'superseded'> {
    const path = this.#paths.slot(claim.name, rev)
    return this.#transaction(async (transaction) => {
      const paths = [this.#paths.head(accountId), path]
      const [head, kept] = await this.#getAll(transaction, paths, [...HEAD_FIELDS, ...MARK_FIELDS])
      this.#holdToClaim(accountId, claim, head && parseHead(head))
      const before = kept && parseMark(kept)
      if (before !== undefined && before.rev >= rev) return 'superseded'
      transaction.set(this.#doc(path), slot)
      return before
    })
  }

  /** Deletes these as the one who has the account. Where there is no head, they went with it. */
  async #deleteAs(accountId: string, claim: Claim, refs: readonly DocumentReference[]): Promise<void> {
    await this.#transaction(async (transaction) => {
      const head = await this.#headOf(accountId, transaction)
      if (head === undefined) return
      this.#holdToClaim(accountId, claim, head)
      for (const ref of refs) transaction.delete(ref)
    })
  }

  async #headOf(accountId: string, transaction?: Transaction): Promise<Head | undefined> {
    const ref = this.#doc(this.#paths.head(accountId))
    return parseHead(await (transaction === undefined ? ref.get() : transaction.get(ref)))
  }

  /** Of the account's backups; undefined where there never were any. */
  async #nameOf(accountId: string): Promise<string | undefined> {
    return (await this.#headOf(accountId))?.backups ?? (await this.#nameOfAccount(accountId))
  }

  async #nameOfAccount(accountId: string, transaction?: Transaction): Promise<string | undefined> {
    const ref = this.#doc(this.#paths.account(accountId))
    return nameIn(await (transaction === undefined ? ref.get() : transaction.get(ref)))
  }

  #transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#calls.attempt(() => this.#db.runTransaction(work, ONCE))
  }

  #getAll(
    from: Firestore | Transaction,
    paths: readonly string[],
    fields: readonly string[],
  ): Promise<DocumentSnapshot[]> {
    return from.getAll(...paths.map((path) => this.#doc(path)), { fieldMask: [...fields] })
  }

  #doc(path: string): DocumentReference {
    return this.#db.doc(path)
  }
}

function notKept(accountId: string, rev: number): BackupError {
  return new BackupError('not_found', `No revision ${rev} of ${accountId} is kept: the last two are.`)
}

function ownedElsewhere(accountId: string, head: Head, why: string): BackupError {
  return new BackupError(
    'owned_elsewhere',
    `The backups of ${accountId} are those of host "${head.ownerName}" (${head.owner}) since ` +
      `${new Date(head.claimedAt).toISOString()}, which ${why}.`,
  )
}
