import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { ACCOUNT_ID_PATTERN } from '../../shared/account-id.ts'
import { writeFileAtomic } from '../../shared/atomic-file.ts'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'

const REMOVALS_FILE = 'backup-removals.json'

const RemovalsFile = Compile(
  Type.Object({
    version: Type.Literal(2),
    accounts: Type.Array(
      Type.Object({ accountId: Type.String({ pattern: ACCOUNT_ID_PATTERN }), atMs: Type.Integer({ minimum: 0 }) }),
    ),
  }),
)

/**
 * Accounts that were removed here and whose backups may still be kept: a file beside the sessions, so that a removal while
 * the target was away, or while no backups were configured at all, happens when the target is there, over restarts as well.
 * Without it the account would come back with the next restore.
 */
export class Removals {
  readonly #path: string
  /** When each was removed, epoch ms. */
  readonly #accounts = new Map<string, number>()
  #writing: Promise<void> = Promise.resolve()

  constructor(sessionsPath: string) {
    this.#path = join(sessionsPath, REMOVALS_FILE)
  }

  /** @returns what was wrong with the file, for a person; undefined when nothing was */
  async load(): Promise<string | undefined> {
    try {
      const parsed: unknown = JSON.parse(await readFile(this.#path, 'utf8'))
      if (!RemovalsFile.Check(parsed)) return `${this.#path} is not what this version writes`
      for (const { accountId, atMs } of parsed.accounts) this.#accounts.set(accountId, atMs)
      return undefined
    } catch (error) {
      return errnoOf(error) === 'ENOENT'
        ? undefined
        : `${this.#path} can not be used: ${messageOf(error).slice(0, 200)}`
    }
  }

  get all(): readonly string[] {
    return [...this.#accounts.keys()]
  }

  has(accountId: string): boolean {
    return this.#accounts.has(accountId)
  }

  /** Epoch ms; undefined where it was not removed. */
  atMs(accountId: string): number | undefined {
    return this.#accounts.get(accountId)
  }

  /** Resolves when it is on the disk. @throws AppError storage_unavailable */
  async add(accountId: string, atMs: number): Promise<void> {
    this.#accounts.set(accountId, Math.trunc(atMs))
    await this.#save().catch((error: unknown) => {
      const why = `${this.#path} could not be written (${errnoOf(error) ?? messageOf(error)}), and without it`
      const remedy = 'The removal goes on at the next start, or when it is asked for again.'
      const message = `${why} the account would come back with the next restore. ${remedy}`
      throw new AppError('storage_unavailable', message, { cause: error })
    })
  }

  /**
   * Rejects with the system's error. One that could not be taken off the file is carried out again at the next start: there is nothing left to do,
   * or the account was added again and is saved anew.
   */
  done(accountId: string): Promise<void> {
    return this.#accounts.delete(accountId) ? this.#save() : Promise.resolve()
  }

  #save(): Promise<void> {
    const saved = this.#writing.then(() => this.#write())
    this.#writing = saved.catch(() => undefined)
    return saved
  }

  async #write(): Promise<void> {
    if (this.#accounts.size === 0) return rm(this.#path, { force: true })
    const accounts = [...this.#accounts].map(([accountId, atMs]) => ({ accountId, atMs }))
    await writeFileAtomic(this.#path, `${JSON.stringify({ version: 2, accounts })}\n`)
  }
}
