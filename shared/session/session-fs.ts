import { constants } from 'node:fs'
import fs from 'node:fs/promises'
import { errnoOf } from '../errors.ts'

/** Read by the owner alone, whatever the umask: these files are the account. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

export interface SessionFile {
  /** Reads up to `target.length` bytes; the number read, 0 at the end of the file. */
  read(target: Buffer, position: number): Promise<number>
  /** Writes up to `source.length` bytes; the number written. */
  write(source: Buffer, position: number): Promise<number>
  /** Content and size are on the disk. */
  datasync(): Promise<void>
  /** Content and all metadata are on the disk. */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  size(): Promise<number>
  /** Waits for reads and writes under way. */
  close(): Promise<void>
}

export interface DirectoryEntry {
  readonly name: string
  readonly kind: 'file' | 'directory' | 'other'
}

/**
 * All that the session store asks of a filesystem: narrow, so that a test can stand in for the disk and lose what
 * was not synced. Every call rejects with the error of the system call.
 */
export interface SessionFs {
  /** 'r' and 'r+' want the file to be there; 'create' makes it with mode 0600, or empties the one there. */
  open(path: string, how: 'r' | 'r+' | 'create'): Promise<SessionFile>
  readFile(path: string): Promise<Buffer>
  readDir(path: string): Promise<DirectoryEntry[]>
  /** Makes a directory and what is missing above it, mode 0700; an existing one is tightened to 0700. */
  makeDir(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  link(existing: string, path: string): Promise<void>
  unlink(path: string): Promise<void>
  /** The names in the directory are on the disk. */
  syncDir(path: string): Promise<void>
}

function wrap(handle: fs.FileHandle): SessionFile {
  return {
    read: async (target, position) => (await handle.read(target, 0, target.length, position)).bytesRead,
    write: async (source, position) => (await handle.write(source, 0, source.length, position)).bytesWritten,
    datasync: () => handle.datasync(),
    sync: () => handle.sync(),
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  }
}

export const nodeFs: SessionFs = {
  open: async (path, how) => {
    if (how !== 'create') return wrap(await fs.open(path, how))
    const handle = await fs.open(path, constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC, FILE_MODE)
    return wrap(handle)
  },
  readFile: (path) => fs.readFile(path),
  readDir: async (path) => {
    const entries = await fs.readdir(path, { withFileTypes: true })
    return entries.map((entry) => ({
      name: entry.name,
      kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other',
    }))
  },
  makeDir: async (path) => {
    await fs.mkdir(path, { recursive: true, mode: DIRECTORY_MODE })
    const { mode } = await fs.stat(path)
    if ((mode & 0o777) === DIRECTORY_MODE) return
    await fs.chmod(path, DIRECTORY_MODE).catch((error: unknown) => {
      // Another user's directory, given to us: its mode is that user's decision, the files in it stay 0600.
      if (errnoOf(error) !== 'EPERM') throw error
    })
  },
  rename: (from, to) => fs.rename(from, to),
  link: (existing, path) => fs.link(existing, path),
  unlink: (path) => fs.unlink(path),
  syncDir: async (path) => {
    const handle = await fs.open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
}

/** Writes all of `source`, however many calls it takes. */
export async function writeFully(file: SessionFile, source: Buffer, position: number): Promise<void> {
  let done = 0
  while (done < source.length) {
    const written = await file.write(done === 0 ? source : source.subarray(done), position + done)
    if (written === 0) throw Object.assign(new Error('write() wrote nothing'), { code: 'EIO' })
    done += written
  }
}

/** Reads `length` bytes, or fewer where the file ends. */
export async function readFully(file: SessionFile, position: number, length: number): Promise<Buffer> {
  const target = Buffer.allocUnsafe(length)
  let done = 0
  while (done < length) {
    const read = await file.read(done === 0 ? target : target.subarray(done), position + done)
    if (read === 0) break
    done += read
  }
  return done === length ? target : target.subarray(0, done)
}
