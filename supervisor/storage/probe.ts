import { randomBytes } from 'node:crypto'
import { open, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Timer } from '../../shared/clock.ts'
import { LATE, withDeadline } from '../../shared/deadline.ts'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'

/** What the last look at the sessions' disk found. */
export interface StorageState {
  exists: boolean
  writable: boolean
  /** Why it is not writable, for a person; null when it is. */
  problem: string | null
  /** The problem is that there is no room: it may pass by itself. */
  full: boolean
}

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT'])

const PROBE_FILE = '.storage-probe'
const PROBE_BYTES = 16
const INTERVAL_MS = 30_000
/** A disk that takes longer than this for 16 bytes hangs. */
const DEADLINE_MS = 10_000

/**
 * Writes, syncs and reads back a small file that has a name for a moment only: several processes (a command beside the
 * service) may probe at once, and one that is killed leaves nothing behind. Never rejects.
 */
export async function probeStorage(path: string): Promise<StorageState> {
  try {
    if (!(await stat(path)).isDirectory()) return broken(true, `${path} is not a directory`)
  } catch (error) {
    return broken(errnoOf(error) !== 'ENOENT', explain(error, path))
  }
  try {
    const written = randomBytes(PROBE_BYTES)
    const file = join(path, `${PROBE_FILE}-${randomBytes(6).toString('hex')}`)
    const read = Buffer.alloc(PROBE_BYTES)
    const handle = await open(file, 'wx+', 0o600)
    try {
      await unlink(file)
      await handle.write(written, 0, PROBE_BYTES, 0)
      await handle.sync()
      await handle.read(read, 0, PROBE_BYTES, 0)
    } finally {
      await handle.close()
    }
    if (read.equals(written)) return { exists: true, writable: true, problem: null, full: false }
    return broken(true, `${path} returned other bytes than were written`)
  } catch (error) {
    return broken(true, explain(error, path), NO_ROOM.has(errnoOf(error) ?? ''))
  }
}

function broken(exists: boolean, problem: string, full = false): StorageState {
  return { exists, writable: false, problem, full }
}

function explain(error: unknown, path: string): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return `${path} does not exist`
    case 'ENOSPC':
    case 'EDQUOT':
      return `the disk of ${path} is full`
    case 'EROFS':
      return `${path} is on a read-only file system`
    case 'EACCES':
    case 'EPERM':
      return `${path} is not writable for the user that runs this service`
    default:
      return messageOf(error)
  }
}

/** Looks at the disk twice a minute, so that a request for /health never waits for it. */
export class StorageMonitor {
  readonly #path: string
  readonly #clock: Clock
  readonly #log: Log
  #state: StorageState
  #answeredMs: number
  #timer: Timer | undefined
  #stopped = false

  constructor(path: string, initial: StorageState, clock: Clock, log: Log) {
    this.#path = path
    this.#state = initial
    this.#answeredMs = clock.monotonicMs()
    this.#clock = clock
    this.#log = log
  }

  get state(): StorageState {
    return this.#state
  }

  /** Monotonic ms at which the disk last answered, whatever it said. */
  get answeredMs(): number {
    return this.#answeredMs
  }

  start(): void {
    if (this.#stopped) return
    this.#timer = this.#clock.setTimer(INTERVAL_MS, () => void this.#look())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #look(): Promise<void> {
    const probe = probeStorage(this.#path)
    const result = await withDeadline(probe, DEADLINE_MS, this.#clock)
    if (result === LATE) {
      this.#become(broken(true, `the disk of ${this.#path} does not answer`))
      // One look at a time: a disk that hangs would otherwise collect them.
      this.#become(await probe)
    } else {
      this.#become(result)
    }
    this.#answeredMs = this.#clock.monotonicMs()
    this.start()
  }

  #become(state: StorageState): void {
    if (state.writable !== this.#state.writable) {
      const event = state.writable ? 'storage.recovered' : 'storage.lost'
      this.#log[state.writable ? 'info' : 'error']({ event, path: this.#path, problem: state.problem }, 'Storage')
    }
    this.#state = state
  }
}
