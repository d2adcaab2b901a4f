/**
 * The last events of the feed, for whoever comes back. Each has a number that only grows; whoever names the last one that
 * it has seen gets what came after it, or is told that this is not known any more. QR codes are secrets and die within a
 * minute: of those only whose it was is kept, and who comes back gets the present one.
 */
export type RingEntry = { sequence: number; frame: string } | { sequence: number; qrOf: string }

export interface RingLimits {
  readonly mostEvents: number
  readonly mostChars: number
}

/** Minutes of a busy fleet, and what a page of 200 accounts weighs some ten times. */
export const RING_LIMITS: RingLimits = { mostEvents: 5000, mostChars: 4 * 1024 * 1024 }

export class EventRing {
  readonly #boot: string
  readonly #limits: RingLimits
  /** Oldest first, from `#first` on; the place is made anew when half of it is empty. */
  #entries: RingEntry[] = []
  #first = 0
  #chars = 0
  #last = 0

  /** @param boot random for each start of the supervisor: numbers of another one mean nothing */
  constructor(boot: string, limits: RingLimits = RING_LIMITS) {
    this.#boot = boot
    this.#limits = limits
  }

  /** Of the latest event. */
  get lastId(): string {
    return `${this.#boot}-${this.#last}`
  }

  /** @returns the event as it goes over the line */
  push(name: string, json: string): string {
    const sequence = ++this.#last
    const frame = frameOf(this.lastId, name, json)
    this.#keep({ sequence, frame }, frame.length)
    return frame
  }

  /** A QR code of this account came or went. @returns the event's id */
  pushQr(accountId: string): string {
    this.#keep({ sequence: ++this.#last, qrOf: accountId }, accountId.length)
    return this.lastId
  }

  /**
   * What came after the event of this id, oldest first.
   * @returns undefined where that is not known: another start of the supervisor, or too long ago
   */
  since(id: string): RingEntry[] | undefined {
    const match = /^([^-]{1,64})-(\d{1,15})$/.exec(id)
    if (match === null || match[1] !== this.#boot) return undefined
    const seen = Number(match[2])
    const oldest = this.#entries[this.#first]?.sequence ?? this.#last + 1
    if (seen > this.#last || seen < oldest - 1) return undefined
    return this.#entries.slice(this.#first + (seen - oldest + 1))
  }

  #keep(entry: RingEntry, chars: number): void {
    this.#entries.push(entry)
    this.#chars += chars
    while (this.#entries.length - this.#first > this.#limits.mostEvents || this.#chars > this.#limits.mostChars) {
      const oldest = this.#entries[this.#first]
      if (oldest === undefined) break
      this.#chars -= 'frame' in oldest ? oldest.frame.length : oldest.qrOf.length
      this.#first++
    }
    if (this.#first > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#first)
      this.#first = 0
    }
  }
}

/** An event of the HTML standard's event streams. JSON has no line breaks of its own. */
export function frameOf(id: string, name: string, json: string): string {
  return `id: ${id}\nevent: ${name}\ndata: ${json}\n\n`
}
