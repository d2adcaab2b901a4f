import { copyFile, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { ACCOUNT_ID_PATTERN } from '../../shared/account-id.ts'
import { writeFileAtomic } from '../../shared/atomic-file.ts'
import { errnoOf, messageOf } from '../../shared/errors.ts'

/**
 * The accounts that the operator wants, on the disk: `accounts.json` beside the sessions, replaced as a whole, with the
 * previous generation kept. Losing it loses names and wishes, never a session: sessions are found without it.
 */
export const AccountRecord = Type.Object({
  accountId: Type.String({ pattern: ACCOUNT_ID_PATTERN }),
  name: Type.String(),
  /** E.164; null while only a session directory is known. */
  phone: Type.Union([Type.String(), Type.Null()]),
  desired: Type.Union([Type.Literal('running'), Type.Literal('paused'), Type.Literal('removed')]),
  /** Removed with its session destroyed, not set aside. */
  purge: Type.Boolean(),
  createdAt: Type.String(),
})
export type AccountRecord = Static<typeof AccountRecord>

/** Beside the sessions. */
export const ACCOUNTS_FILE = 'accounts.json'

const AccountsFile = Compile(Type.Object({ version: Type.Literal(1), accounts: Type.Array(AccountRecord) }))

export interface LoadedAccounts {
  records: AccountRecord[]
  /** Set when `accounts.json` could not be used: what was wrong, where it was moved, what was taken instead. */
  problem?: string
}

export class AccountStore {
  readonly #path: string
  readonly #records: () => readonly AccountRecord[]
  #saving: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  /** @param records the accounts as they are when a save begins */
  constructor(sessionsPath: string, records: () => readonly AccountRecord[]) {
    this.#path = join(sessionsPath, ACCOUNTS_FILE)
    this.#records = records
  }

  /**
   * What is on the disk. A file that is not what this class wrote is moved aside and the previous generation taken: one
   * bad file must not keep every account down. Rejects when the file can't be read at all (permissions, I/O error):
   * going on would overwrite what may be whole.
   */
  async load(): Promise<LoadedAccounts> {
    const current = await readAccounts(this.#path)
    if (current.records) return { records: current.records }
    const previous = await readAccounts(`${this.#path}.prev`)
    if (current.problem === undefined) {
      // No file and no generation before it: a first start. A crash between two generations can't take the file away
      // (the new one is renamed over the old), but an earlier load that moved a damaged one aside does, until a save.
      if (previous.records === undefined) return { records: [] }
      return {
        records: previous.records,
        problem: `${this.#path} is missing: the previous generation with ${previous.records.length} accounts was taken instead.`,
      }
    }
    const aside = `${this.#path}.damaged-${new Date().toISOString().replace(/[:.]/g, '-')}`
    await rename(this.#path, aside)
    return {
      records: previous.records ?? [],
      problem:
        `${this.#path} ${current.problem}. It was moved to ${aside}, and ` +
        (previous.records
          ? `the previous generation with ${previous.records.length} accounts was taken instead.`
          : 'the accounts were taken from the session directories alone.'),
    }
  }

  /**
   * Resolves when the records as they are now, or later ones, are on the disk. Saves that are asked for while one is
   * under way become one. Rejects with the system's error; the file is then the last good one.
   */
  save(): Promise<void> {
    this.#next ??= this.#saving
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        this.#saving = this.#write()
        return this.#saving
      })
    return this.#next
  }

  async #write(): Promise<void> {
    const json = JSON.stringify({ version: 1, accounts: this.#records() }, null, 2) + '\n'
    await copyFile(this.#path, `${this.#path}.prev`).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
    })
    await writeFileAtomic(this.#path, json)
  }
}

async function readAccounts(path: string): Promise<{ records?: AccountRecord[]; problem?: string }> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return {}
    throw error
  }
  try {
    const parsed: unknown = JSON.parse(text)
    if (AccountsFile.Check(parsed)) return { records: parsed.accounts }
    return { problem: 'is not a list of accounts as this version writes it' }
  } catch (error) {
    return { problem: `is not JSON (${messageOf(error).slice(0, 80)})` }
  }
}
