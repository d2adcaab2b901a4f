import type { FromWorker } from '../shared/ipc.ts'
import type { Addition, Inbox } from './core/inbox.ts'
import type { Entry } from './socket/inbox-repository.ts'

/** One batch is one message over the channel: some 10 KB. */
const BATCH_MESSAGES = 100
/**
 * As many as this wait in memory and in the log for a supervisor that does not take them; then nothing more is decrypted,
 * so WhatsApp gets no receipts and keeps the rest. At 40 messages a second it is more than four minutes.
 */
const MOST_UNTAKEN = 10_000

export interface MessageStreamOptions {
  inbox: Inbox
  /** Epoch ms. */
  nowMs: () => number
  /** A message is durable. */
  onMessage: () => void
  /** To the supervisor; never rejects. */
  send: (message: Extract<FromWorker, { type: 'messages' }>) => Promise<void>
}

/**
 * Tells the supervisor of the messages in an inbox, oldest first, one batch at a time: the next one goes when the last
 * was taken. A channel neither loses nor repeats, so there is no retry: who does not answer is gone, or will be.
 */
export class MessageStream implements Entry {
  readonly #options: MessageStreamOptions
  #inFlight = false
  /** Until the supervisor takes something. */
  #waiting: (() => void)[] = []
  /** Until a write is over. */
  #writes: (() => void)[] = []

  constructor(options: MessageStreamOptions) {
    this.#options = options
  }

  /** Sends what waits, if nothing is on its way. What the supervisor had not taken from an earlier process comes first. */
  pump(): void {
    if (this.#inFlight) return
    const { inbox, send } = this.#options
    const messages = inbox.next(BATCH_MESSAGES)
    if (messages.length === 0) return
    this.#inFlight = true
    void send({ type: 'messages', stream: inbox.stream, messages })
  }

  /** The supervisor has everything up to `sequence`. Of another stream (the session before this one) it means nothing. */
  taken(stream: string, sequence: number): void {
    const { inbox } = this.#options
    if (stream !== inbox.stream) return
    inbox.take(sequence)
    this.#inFlight = false
    for (const go of this.#waiting.splice(0)) go()
    this.pump()
  }

  async room(): Promise<void> {
    while (this.#options.inbox.untaken >= MOST_UNTAKEN) await this.#turn()
  }

  /** Resolves when the supervisor has all. */
  async drained(): Promise<void> {
    while (this.#options.inbox.next(1).length > 0) await this.#turn()
  }

  async holds(stanza: string): Promise<boolean> {
    const { inbox } = this.#options
    // Another delivery of it is being written: what that comes to decides.
    while (inbox.isUnderWay(stanza)) await new Promise<void>((resolve) => this.#writes.push(resolve))
    return inbox.holds(stanza)
  }

  add(stanza: string, id: string): Addition {
    return this.#options.inbox.add(stanza, id, this.#options.nowMs())
  }

  committed(sequence: number): void {
    this.#options.inbox.committed(sequence)
    this.#options.onMessage()
    this.#written()
    this.pump()
  }

  abandoned(sequence: number): void {
    this.#options.inbox.abandoned(sequence)
    this.#written()
    this.pump()
  }

  #written(): void {
    for (const go of this.#writes.splice(0)) go()
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
