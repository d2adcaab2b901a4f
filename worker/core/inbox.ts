/**
 * Which messages of others this session has taken in, each under one number for ever.
 *
 * A record is written together with the ratchet that the message moved (socket/inbox-repository.ts), so a message that
 * can't be decrypted again is one that stands here, and one that stands here needs no decrypting again.
 *
 * | a record is | it                                                              | leaves by            |
 * |-------------|-----------------------------------------------------------------|----------------------|
 * | added       | has its number; being written; not to be told to anybody        | committed, abandoned |
 * | committed   | is durable; is told to the supervisor, oldest first             | take                 |
 * | taken       | the supervisor has it; kept to know a redelivery                | add of later ones    |
 *
 * Numbers begin at 1, grow by one, and are used once. A number whose write failed stays unused. The supervisor is told
 * of a number only when all before it are durable or unused, so that "everything up to n" is a true thing to say.
 * A new session begins a new stream, with a random name: only within one stream do numbers mean anything.
 */
export interface InboxRecord {
  stream: string
  sequence: number
  /** WhatsApp's id of the message. */
  id: string
  /** Who sent what where, as one word: the same for every delivery of the message, and for no other. */
  stanza: string
  /** Epoch ms of the decryption. */
  atMs: number
  /** The supervisor had taken everything up to this number when the record was made. */
  taken: number
}

export interface InboxMessage {
  sequence: number
  id: string
  atMs: number
}

export interface Addition {
  record: InboxRecord
  /** Numbers of old records that are to be deleted in the same write. */
  forget: number[]
}

/**
 * WhatsApp delivers again what it got no receipt for, oldest first, at the next login: at 40 messages a second, this is
 * what comes in while a receipt is under way, many times over.
 */
export const KEPT_FOR_REDELIVERY = 1000

export class Inbox {
  readonly stream: string
  readonly #kept: number
  /** In the order of their numbers. */
  readonly #records = new Map<number, InboxRecord>()
  readonly #stanzas = new Set<string>()
  /** Added, and neither committed nor abandoned yet. */
  readonly #underWay = new Set<number>()
  #last = 0
  #taken = 0

  /** @param newStream the stream's name where `records` is empty */
  constructor(newStream: string, records: readonly InboxRecord[], kept = KEPT_FOR_REDELIVERY) {
    this.#kept = kept
    const sorted = [...records].sort((a, b) => a.sequence - b.sequence)
    for (const record of sorted) {
      this.#remember(record)
      this.#last = record.sequence
      this.#taken = Math.max(this.#taken, record.taken)
    }
    this.stream = sorted.at(-1)?.stream ?? newStream
  }

  /** How many are kept for the supervisor. */
  get untaken(): number {
    return this.#last - this.#taken
  }

  /** Whether the message of this stanza was taken in, or is just being. */
  holds(stanza: string): boolean {
    return this.#stanzas.has(stanza)
  }

  /** Whether the message of this stanza is just being written. */
  isUnderWay(stanza: string): boolean {
    return [...this.#underWay].some((sequence) => this.#records.get(sequence)?.stanza === stanza)
  }

  /** Gives a message its number. What comes back is to be written in one piece with what made the message unreadable. */
  add(stanza: string, id: string, atMs: number): Addition {
    const sequence = ++this.#last
    const record = { stream: this.stream, sequence, id, stanza, atMs, taken: this.#taken }
    this.#remember(record)
    this.#underWay.add(sequence)
    const forget: number[] = []
    for (const old of this.#records.values()) {
      // What the supervisor has not got yet is kept, however much it is.
      if (this.#records.size <= this.#kept || old.sequence > this.#taken) break
      this.#records.delete(old.sequence)
      this.#stanzas.delete(old.stanza)
      forget.push(old.sequence)
    }
    return { record, forget }
  }

  committed(sequence: number): void {
    this.#underWay.delete(sequence)
  }

  /** The write failed: whatever is delivered again is to be read again. */
  abandoned(sequence: number): void {
    this.#underWay.delete(sequence)
    const record = this.#records.get(sequence)
    if (record === undefined) return
    this.#records.delete(sequence)
    this.#stanzas.delete(record.stanza)
  }

  /** The oldest messages that the supervisor has not taken. */
  next(limit: number): InboxMessage[] {
    const batch: InboxMessage[] = []
    for (let sequence = this.#taken + 1; sequence <= this.#last && batch.length < limit; sequence++) {
      if (this.#underWay.has(sequence)) break
      const record = this.#records.get(sequence)
      // A number whose write failed is nobody's.
      if (record !== undefined) batch.push({ sequence, id: record.id, atMs: record.atMs })
    }
    return batch
  }

  /** The supervisor has everything up to this number. Written down with the next record. */
  take(sequence: number): void {
    this.#taken = Math.max(this.#taken, Math.min(sequence, this.#last))
  }

  #remember(record: InboxRecord): void {
    this.#records.set(record.sequence, record)
    this.#stanzas.add(record.stanza)
  }
}
