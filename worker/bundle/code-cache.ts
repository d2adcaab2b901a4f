import { createHash, randomUUID } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'

/**
 * V8's code cache of the bundle: what its parser and compiler made of it, in a file. V8 checks its own version and flags
 * and the length of the source, and nothing else: a cache of another source of the same length runs the other source,
 * and a damaged one crashes. So a file of ours begins with a digest over all that it depends on and all that it holds.
 *
 * Whoever can write the file decides what every worker does: it counts only when nobody but its owner can write it, and
 * when its owner is this user, root, or the owner of the bundle.
 *
 * Synchronous: it is what a process does first, and alone.
 */

const DIGEST_BYTES = 32

/** Of the bundle's text, the binary and its flags. */
export function cacheKey(source: Buffer): Buffer {
  const { version, arch, execArgv } = process
  return createHash('sha256')
    .update(JSON.stringify([version, process.versions.v8, arch, execArgv]))
    .update(source)
    .digest()
}

/** What of a file counts. */
export type FoundCache = { data: Buffer } | { data?: undefined; cause: string }

/**
 * @param bundleOwner user id of the bundle's owner
 * @returns the cache, or in words why there is none that could be used; never throws
 */
export function readCache(path: string, key: Buffer, bundleOwner: number): FoundCache {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    return { cause: `it can not be opened (${codeOf(error)})` }
  }
  try {
    const { uid, mode } = fstatSync(fd)
    if (![process.geteuid?.(), 0, bundleOwner].includes(uid)) return { cause: `it belongs to user ${uid}` }
    if ((mode & 0o022) !== 0) return { cause: 'others can write it' }
    const bytes = readFileSync(fd)
    const data = bytes.subarray(DIGEST_BYTES)
    if (digest(key, data).equals(bytes.subarray(0, DIGEST_BYTES))) return { data }
    return { cause: 'it is of another build, another Node or other flags, or damaged' }
  } catch (error) {
    return { cause: `it can not be read (${codeOf(error)})` }
  } finally {
    closeSync(fd)
  }
}

/** Replaces the file whole: who reads it meanwhile reads the old one or the new one. Throws the system's error. */
export function writeCache(path: string, key: Buffer, data: Buffer): void {
  // A name that nobody has: one that a killed process left behind, of the same pid in a container, would be in the way.
  const temporary = `${path}.${randomUUID()}.tmp`
  // Never over what somebody has put there; 0644: a service may run as another user than the one who built it.
  const fd = openSync(temporary, 'wx', 0o644)
  try {
    try {
      writeFileSync(fd, Buffer.concat([digest(key, data), data]))
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
  } catch (error) {
    unlinkSync(temporary)
    throw error
  }
}

function digest(key: Buffer, data: Buffer): Buffer {
  return createHash('sha256').update(key).update(data).digest()
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
