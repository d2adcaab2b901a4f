import { open, readFile, rename } from 'node:fs/promises'
import { BufferJSON } from '@whiskeysockets/baileys'
import { SimulatorError } from './errors.ts'
import { makeKeyPair, type KeyPair } from './keys.ts'
import type { Phone } from './phone.ts'

/** What survives a restart of the simulator. */
export interface StateStore {
  /** Signs the server certificate; the same for the life of the file. */
  readonly root: KeyPair
  readonly phones: readonly Phone[]
  /** Says that `phones` changed; written soon, many changes at once. */
  save(phones: readonly Phone[]): void
  /** Writes what is outstanding (`phones`: the last state, marked as complete) and ends. Rejects with `state_not_saved`. */
  close(phones?: readonly Phone[]): Promise<void>
}

interface StateFile {
  readonly format: typeof FORMAT
  /** False while a simulator runs on it: then the last moments before its end may be missing. */
  readonly complete: boolean
  readonly root: KeyPair
  readonly phones: readonly Phone[]
}

const FORMAT = 'whatsapp-simulator-1'
/** Changes of this long are written together; more when writing itself takes longer. */
const GATHER_MS = 50
const OWNER_ONLY = 0o600

/**
 * Opens the state at `path`, or a new one when the file does not exist; without a path nothing is kept.
 * Throws `cannot_start` when the file is no state: it is never overwritten.
 */
export async function openState(path: string | undefined): Promise<StateStore> {
  if (path === undefined)
    return { root: makeKeyPair(), phones: [], save: () => undefined, close: async () => undefined }
  const { root, phones, complete } = await readState(path)
  if (!complete) for (const phone of phones) closeSessions(phone)
  return new FileStore(path, root, phones)
}

/** Writes the whole state to a second file and renames it over the first: a reader sees the old one or the new one. */
class FileStore implements StateStore {
  readonly root: KeyPair
  readonly phones: readonly Phone[]
  readonly #path: string
  #latest: readonly Phone[] | undefined
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  #lastWriteMs = 0
  #closed = false
  #failure: unknown

  constructor(path: string, root: KeyPair, phones: readonly Phone[]) {
    this.#path = path
    this.root = root
    this.phones = phones
  }

  save(phones: readonly Phone[]): void {
    if (this.#closed) return
    this.#latest = phones
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined
        this.#write(false)
      },
      Math.max(GATHER_MS, this.#lastWriteMs * 5),
    )
  }

  async close(phones?: readonly Phone[]): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#latest = phones ?? this.#latest
    if (this.#latest) this.#write(true)
    await this.#writing
    if (this.#failure !== undefined) {
      const message = `the state could not be written to ${this.#path}`
      throw new SimulatorError('state_not_saved', message, { cause: this.#failure })
    }
  }

  #write(complete: boolean): void {
    const phones = this.#latest ?? []
    this.#writing = this.#writing.then(async () => {
      const startedAt = performance.now()
      const state: StateFile = { format: FORMAT, complete, root: this.root, phones }
      try {
        await replaceFile(this.#path, JSON.stringify(state, BufferJSON.replacer))
        this.#failure = undefined
      } catch (error) {
        // The next change tries again; `close` reports the last failure.
        this.#failure = error
      }
      this.#lastWriteMs = performance.now() - startedAt
    })
  }
}

async function readState(path: string): Promise<Omit<StateFile, 'format'>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      return { root: makeKeyPair(), phones: [], complete: true }
    }
    throw new SimulatorError('cannot_start', `can't read the state file ${path}`, { cause })
  }
  let state: Partial<StateFile>
  try {
    state = JSON.parse(text, BufferJSON.reviver) as Partial<StateFile>
  } catch (cause) {
    throw new SimulatorError('cannot_start', `the state file ${path} is no JSON; move it away to start anew`, { cause })
  }
  const { format, root, phones, complete = false } = state
  if (format !== FORMAT || !root || !phones) {
    throw new SimulatorError('cannot_start', `${path} is no state file of this simulator (format ${String(format)})`)
  }
  return { root, phones, complete }
}

/**
 * After a crash the sessions in the file may be behind what was sent: a message encrypted with one would be refused as a
 * repetition. So the next message of each phone starts a new session; what devices still send in the old ones is read.
 */
function closeSessions({ signal }: Phone): void {
  if (!signal) return
  for (const record of Object.values(signal.sessions)) {
    for (const session of Object.values(record._sessions)) {
      if (session.indexInfo.closed === -1) session.indexInfo.closed = Date.now()
    }
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', OWNER_ONLY)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}
