/** A message that an account sent, as its recipient's phone read it. */
export interface ReceivedMessage {
  readonly id: string
  /** Number of the account. */
  readonly from: string
  /** Number of the recipient; the account's own for a message to itself. */
  readonly to: string
  readonly toSelf: boolean
  /** Undefined when the message is no text. */
  readonly text: string | undefined
  readonly encryption: 'pkmsg' | 'msg'
  /** Whether the account addressed the recipient by LID. */
  readonly usesLid: boolean
  readonly atMs: number
  /** How often it arrived: more than once after a retry. */
  copies: number
  /** Whether the account's own phone got its copy as well. */
  seenByOwnPhone: boolean
}

/** A receipt that a client sent for a message it got. */
export interface Receipt {
  readonly phone: string
  readonly deviceId: number
  /** 'delivered' (online), 'inactive' (delivered, but nobody looks), 'read', 'read-self', 'played', 'retry', 'sender', 'peer_msg', 'hist_sync'. */
  readonly type: string
  readonly atMs: number
}

const KEPT_PER_PHONE = 1_000
const MESSAGES_WITH_RECEIPTS_KEPT = 10_000

/** What was sent and confirmed, for tests to look at. In memory only: a restart forgets it. */
export class Mailbox {
  readonly #sent = new Map<string, Map<string, ReceivedMessage>>()
  readonly #receipts = new Map<string, Receipt[]>()
  /** Ids for which the own phone's copy came first. */
  readonly #ownCopies = new Set<string>()

  addReceived(message: Omit<ReceivedMessage, 'copies' | 'seenByOwnPhone'>): void {
    const messages = this.#sent.get(message.from) ?? new Map<string, ReceivedMessage>()
    this.#sent.set(message.from, messages)
    const known = messages.get(message.id)
    if (known) known.copies += 1
    else messages.set(message.id, { ...message, copies: 1, seenByOwnPhone: this.#ownCopies.delete(message.id) })
    dropOldest(messages, KEPT_PER_PHONE)
  }

  addOwnCopy(from: string, messageId: string): void {
    const message = this.#sent.get(from)?.get(messageId)
    if (message) message.seenByOwnPhone = true
    else this.#ownCopies.add(messageId)
    dropOldest(this.#ownCopies, KEPT_PER_PHONE)
  }

  /** What the account sent, oldest first; the last thousand. */
  sentBy(number: string): ReceivedMessage[] {
    return [...(this.#sent.get(number)?.values() ?? [])]
  }

  addReceipt(messageId: string, receipt: Receipt): void {
    const receipts = this.#receipts.get(messageId) ?? []
    receipts.push(receipt)
    this.#receipts.set(messageId, receipts)
    dropOldest(this.#receipts, MESSAGES_WITH_RECEIPTS_KEPT)
  }

  receiptsOf(messageId: string): readonly Receipt[] {
    return this.#receipts.get(messageId) ?? []
  }
}

/** Maps and sets list their keys in the order of insertion. */
function dropOldest(
  collection: { size: number; keys(): Iterator<string>; delete(key: string): boolean },
  kept: number,
): void {
  while (collection.size > kept) {
    const oldest = collection.keys().next()
    if (oldest.done) return
    collection.delete(oldest.value)
  }
}
