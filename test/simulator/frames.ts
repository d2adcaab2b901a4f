/** The client's first bytes: "WA", protocol 6, dictionary 3. The server sends no such header. */
export const CLIENT_HEADER = Buffer.of(0x57, 0x41, 6, 3)
/** "ED" 0 1: routing information of an earlier connection, with a 3-byte length, in front of the header. */
const ROUTING_HEADER = Buffer.of(0x45, 0x44, 0, 1)
const LENGTH_BYTES = 3

/** The bytes are not of this protocol; the connection is beyond use. */
export class FramingError extends Error {
  override name = 'FramingError'
}

/** Length prefix (3 bytes, big endian), then the body: at most 16 MiB - 1. */
export function encodeFrame(body: Uint8Array): Buffer {
  if (body.length >= 1 << 24)
    throw new FramingError(`a frame holds less than 16 MiB, this one has ${body.length} bytes`)
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeUIntBE(body.length, 0, LENGTH_BYTES)
  return Buffer.concat([length, body])
}

/**
 * Cuts the client's byte stream into frames. WebSocket messages are no frame boundaries: one may hold
 * half a frame or several.
 */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0)
  #headerSeen = false

  /** Takes the next bytes; returns the frames that are complete now. Throws `FramingError` on a wrong header. */
  push(chunk: Buffer): Buffer[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    if (!this.#headerSeen && !this.#takeHeader()) return []
    const frames: Buffer[] = []
    for (;;) {
      const end = lengthPrefixedEnd(this.#pending, 0)
      if (end === undefined) return frames
      frames.push(this.#pending.subarray(LENGTH_BYTES, end))
      this.#pending = this.#pending.subarray(end)
    }
  }

  #takeHeader(): boolean {
    let start = 0
    if (this.#pending[0] === ROUTING_HEADER[0]) {
      if (this.#pending.length < ROUTING_HEADER.length) return false
      expectBytes(this.#pending.subarray(0, ROUTING_HEADER.length), ROUTING_HEADER)
      const end = lengthPrefixedEnd(this.#pending, ROUTING_HEADER.length)
      if (end === undefined) return false
      start = end
    }
    if (this.#pending.length < start + CLIENT_HEADER.length) return false
    expectBytes(this.#pending.subarray(start, start + CLIENT_HEADER.length), CLIENT_HEADER)
    this.#pending = this.#pending.subarray(start + CLIENT_HEADER.length)
    this.#headerSeen = true
    return true
  }
}

function lengthPrefixedEnd(bytes: Buffer, start: number): number | undefined {
  if (bytes.length < start + LENGTH_BYTES) return undefined
  const end = start + LENGTH_BYTES + bytes.readUIntBE(start, LENGTH_BYTES)
  return bytes.length < end ? undefined : end
}

function expectBytes(seen: Buffer, wanted: Buffer): void {
  if (!seen.equals(wanted)) {
    throw new FramingError(`the stream begins with ${seen.toString('hex')}, wanted ${wanted.toString('hex')}`)
  }
}
