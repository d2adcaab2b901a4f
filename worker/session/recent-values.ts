/**
 * The values that were read or written last, by key, up to so many bytes: each message reads the session that the one
 * before it wrote, and a read from the file is a way to another thread and back (a tenth of what a message costs).
 * Holds what is durable alone; who has it must not change the bytes.
 */
export class RecentValues {
  readonly #mostBytes: number
  /** The least recently used first. */
  readonly #values = new Map<string, Buffer>()
  #bytes = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  get sizeBytes(): number {
    return this.#bytes
  }

  get(key: string): Buffer | undefined {
    const value = this.#values.get(key)
    if (value === undefined) return undefined
    this.#values.delete(key)
    this.#values.set(key, value)
    return value
  }

  set(key: string, value: Buffer): void {
    this.delete(key)
    // One large value must not drive all others out.
    if (value.length > this.#mostBytes / 8) return
    // A copy of its own: small buffers are slices of a pool, which one of them would keep alive.
    const own = Buffer.allocUnsafeSlow(value.length)
    value.copy(own)
    this.#values.set(key, own)
    this.#bytes += sizeOf(key, own)
    for (const [oldest, old] of this.#values) {
      if (this.#bytes <= this.#mostBytes) return
      this.#values.delete(oldest)
      this.#bytes -= sizeOf(oldest, old)
    }
  }

  delete(key: string): void {
    const value = this.#values.get(key)
    if (value === undefined) return
    this.#values.delete(key)
    this.#bytes -= sizeOf(key, value)
  }
}

/** What an entry takes beside its bytes: a Buffer, its ArrayBuffer, a place in a map. */
const ENTRY_BYTES = 200

function sizeOf(key: string, value: Buffer): number {
  return key.length + value.length + ENTRY_BYTES
}
