import { SimulatorError } from './errors.ts'

/** What the simulator saw a client do, or did to one. `phone` is the number. */
export type EventBody =
  | { readonly type: 'connection.opened'; readonly connectionId: number }
  | { readonly type: 'connection.closed'; readonly connectionId: number; readonly phone?: string | undefined }
  | { readonly type: 'connection.refused'; readonly status: number }
  | { readonly type: 'connection.failed'; readonly connectionId: number; readonly message: string }
  | { readonly type: 'qr.offered'; readonly connectionId: number }
  | { readonly type: 'pairing_code.requested'; readonly connectionId: number; readonly phone: string }
  | { readonly type: 'device.paired'; readonly phone: string; readonly deviceId: number; readonly jid: string }
  | { readonly type: 'device.online'; readonly connectionId: number; readonly phone: string; readonly deviceId: number }
  | {
      readonly type: 'device.replaced'
      readonly connectionId: number
      readonly phone: string
      readonly deviceId: number
    }
  | {
      readonly type: 'device.unlinked'
      readonly phone: string
      readonly deviceId: number
      readonly by: 'phone' | 'device'
    }
  | { readonly type: 'login.refused'; readonly connectionId: number; readonly phone: string; readonly reason: number }
  | { readonly type: 'query.received'; readonly phone: string; readonly xmlns: string; readonly name: string }
  | { readonly type: 'prekeys.uploaded'; readonly phone: string; readonly deviceId: number; readonly count: number }
  | { readonly type: 'message.sent'; readonly phone: string; readonly deviceId: number; readonly messageId: string }
  | {
      readonly type: 'message.received'
      readonly phone: string
      readonly to: string
      readonly messageId: string
      readonly encryption: 'pkmsg' | 'msg'
    }
  | { readonly type: 'message.undecryptable'; readonly phone: string; readonly to: string; readonly messageId: string }
  | { readonly type: 'message.refused'; readonly phone: string; readonly messageId: string; readonly code: number }
  | {
      readonly type: 'receipt.received'
      readonly phone: string
      readonly deviceId: number
      readonly messageId: string
      /** The receipt's type on the wire; 'delivered' stands for a receipt without one. */
      readonly receipt: string
    }
  /** The device has confirmed all that was sent to it. */
  | { readonly type: 'queue.emptied'; readonly phone: string; readonly deviceId: number }
  | {
      readonly type: 'nack.received'
      readonly phone: string
      readonly deviceId: number
      readonly messageId: string
      readonly code: number
    }
  | {
      readonly type: 'retry.served'
      readonly phone: string
      readonly deviceId: number
      readonly messageId: string
      readonly attempt: number
    }
  | { readonly type: 'retry.refused'; readonly phone: string; readonly messageId: string; readonly why: string }
  | { readonly type: 'media.uploaded'; readonly path: string; readonly sizeBytes: number }
  | { readonly type: 'fault.hit'; readonly kind: string; readonly faultId: number; readonly phone?: string | undefined }

export type SimulatorEvent = EventBody & { readonly sequence: number; readonly atMs: number }
export type EventType = EventBody['type']

/** All types, for whoever names one in a request; the compiler holds that none is missing. */
export const EVENT_TYPES = Object.keys({
  'connection.opened': true,
  'connection.closed': true,
  'connection.refused': true,
  'connection.failed': true,
  'qr.offered': true,
  'pairing_code.requested': true,
  'device.paired': true,
  'device.online': true,
  'device.replaced': true,
  'device.unlinked': true,
  'login.refused': true,
  'query.received': true,
  'prekeys.uploaded': true,
  'message.sent': true,
  'message.received': true,
  'message.undecryptable': true,
  'message.refused': true,
  'receipt.received': true,
  'queue.emptied': true,
  'nack.received': true,
  'retry.served': true,
  'retry.refused': true,
  'media.uploaded': true,
  'fault.hit': true,
} satisfies Record<EventType, true>) as EventType[]

export interface WaitOptions {
  /** Milliseconds until the wait rejects with `wait_timeout`; 20,000 when absent. */
  readonly timeoutMs?: number
  /** Only events of this number. */
  readonly phone?: string
  /** Consider what happened after this mark too (see `mark`); without it only what happens from now on counts. */
  readonly since?: number
}

const EVENTS_KEPT = 5_000
const DEFAULT_TIMEOUT_MS = 60_000
const SHOWN_ON_TIMEOUT = 25

/** The record of what happened, newest last, and the way to wait for something to happen. */
export class EventLog {
  readonly #events: SimulatorEvent[] = []
  readonly #listeners = new Set<(event: SimulatorEvent) => void>()
  readonly #abandon = new Set<() => void>()
  #sequence = 0

  emit(body: EventBody): void {
    const event = { ...body, sequence: ++this.#sequence, atMs: Date.now() }
    this.#events.push(event)
    if (this.#events.length > EVENTS_KEPT) this.#events.shift()
    for (const listener of [...this.#listeners]) listener(event)
  }

  /** The events after `since` that are still kept. */
  list(since = 0): SimulatorEvent[] {
    return this.#events.filter(({ sequence }) => sequence > since)
  }

  /** A place in the record, for `since`. */
  mark(): number {
    return this.#sequence
  }

  /** Calls `listener` for each event from now on; returns how to stop. */
  on(listener: (event: SimulatorEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves with the first event of this type, or for which the function says true. Rejects with what was seen instead. */
  waitFor(
    wanted: EventType | ((event: SimulatorEvent) => boolean),
    options: WaitOptions = {},
  ): Promise<SimulatorEvent> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, phone, since = this.#sequence } = options
    const matches = (event: SimulatorEvent): boolean =>
      (typeof wanted === 'string' ? event.type === wanted : wanted(event)) &&
      (phone === undefined || ('phone' in event && event.phone === phone))
    const past = this.list(since).find(matches)
    if (past) return Promise.resolve(past)

    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer)
        stopListening()
        this.#abandon.delete(abandon)
      }
      const stopListening = this.on((event) => {
        if (!matches(event)) return
        leave()
        resolve(event)
      })
      const timer = setTimeout(() => {
        leave()
        reject(new SimulatorError('wait_timeout', this.#describeMiss(wanted, timeoutMs, phone, since)))
      }, timeoutMs)
      const abandon = (): void => {
        leave()
        reject(new SimulatorError('closed', 'the simulator was closed while waiting'))
      }
      this.#abandon.add(abandon)
    })
  }

  /** Ends every wait. */
  close(): void {
    for (const abandon of [...this.#abandon]) abandon()
    this.#listeners.clear()
  }

  #describeMiss(wanted: unknown, timeoutMs: number, phone: string | undefined, since: number): string {
    const what = typeof wanted === 'string' ? `"${wanted}"` : 'a matching event'
    const seen = this.list(since).slice(-SHOWN_ON_TIMEOUT)
    const lines = seen.map((event) => `  ${describeEvent(event)}`)
    const whose = phone === undefined ? '' : ` of ${phone}`
    return `waited ${timeoutMs} ms for ${what}${whose}; seen meanwhile: ${lines.length === 0 ? 'nothing' : `\n${lines.join('\n')}`}`
  }
}

/** One line: time, type, and the fields of the event as JSON. Events hold no keys and no message texts. */
export function describeEvent(event: SimulatorEvent): string {
  const fields = Object.entries(event).filter(([name]) => !['type', 'sequence', 'atMs'].includes(name))
  return `${new Date(event.atMs).toISOString()} ${event.type} ${JSON.stringify(Object.fromEntries(fields))}`
}
