/**
 * A place of its own within an interval for each name, evenly spread and always the same: what many accounts do every few
 * seconds is not done by all of them at once. (FNV-1a, 32 bits.)
 */
export function phaseOf(name: string, intervalMs: number): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  }
  // The high bits are the well mixed ones of short names.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return ((hash ^ (hash >>> 13)) >>> 0) % Math.max(1, Math.floor(intervalMs))
}
