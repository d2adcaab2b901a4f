import zlib from 'node:zlib'

/** CRC-32 (IEEE 802.3, reflected polynomial), as zlib, gzip and PNG use it. */
const POLYNOMIAL = 0xedb88320

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  return value >>> 0
})

/** The same result as zlib.crc32, for the Node versions that have none (before 20.15 and 22.2). */
export function crc32Table(bytes: Uint8Array, start = 0): number {
  let crc = ~start >>> 0
  for (const byte of bytes) crc = ((crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0)) >>> 0
  return ~crc >>> 0
}

/** Unsigned 32-bit checksum of `bytes`, continued from `start`. Different starts never agree on the same bytes. */
export const crc32: (bytes: Uint8Array, start?: number) => number =
  typeof zlib.crc32 === 'function' ? (bytes, start = 0) => zlib.crc32(bytes, start) : crc32Table
