import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { writeFileAtomic } from '../../shared/atomic-file.ts'
import { AppError, errnoOf, messageOf } from '../../shared/errors.ts'

/** What a token lets its bearer do: everything, or look. */
export type Role = 'admin' | 'viewer'

const StoredToken = Type.Object({
  id: Type.String({ pattern: '^[0-9a-f]{12}$' }),
  name: Type.String(),
  role: Type.Union([Type.Literal('admin'), Type.Literal('viewer')]),
  /** SHA-256 of the whole token, hex: 256 random bits need no slow hash. */
  hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  createdAt: Type.String(),
})
type StoredToken = Static<typeof StoredToken>
const file = Compile(Type.Object({ tokens: Type.Array(StoredToken) }))

export type AccessToken = Omit<StoredToken, 'hash'>

export const TOKENS_FILE = 'access-tokens.json'
/** More programs and wall screens than a business has. */
const MOST_TOKENS = 100
const PREFIX = 'wab'

/**
 * Tokens that an operator has made for programs and people, beside ADMIN_TOKEN and VIEWER_TOKEN: each can be revoked
 * alone. On the disk stand their hashes; the token itself is shown once.
 */
export class AccessTokens {
  readonly #path: string
  #tokens: readonly StoredToken[] = []
  /** The file is there and can't be read: nothing is written over it. */
  #problem: string | null = null
  /** One change after another. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(sessionsPath: string) {
    this.#path = join(sessionsPath, TOKENS_FILE)
  }

  /** @returns what is wrong with the file; its tokens are not valid then, and ADMIN_TOKEN still is */
  async load(): Promise<string | null> {
    this.#problem = null
    try {
      const parsed: unknown = JSON.parse(await readFile(this.#path, 'utf8'))
      if (!file.Check(parsed)) throw new Error('it is not what this service writes')
      this.#tokens = parsed.tokens
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null
      this.#problem = `${this.#path} can not be read (${errnoOf(error) ?? messageOf(error)}): mend it, or move it away and make the tokens anew.`
    }
    return this.#problem
  }

  get list(): AccessToken[] {
    return this.#tokens.map(({ id, name, role, createdAt }) => ({ id, name, role, createdAt }))
  }

  /** Whose token this is; undefined where it is none of ours. */
  find(candidate: string): AccessToken | undefined {
    const id = /^wab_([0-9a-f]{12})_/.exec(candidate)?.[1]
    const known = this.#tokens.find((token) => token.id === id)
    if (known === undefined || !timingSafeEqual(sha256(candidate), Buffer.from(known.hash, 'hex'))) return undefined
    return known
  }

  has(id: string): boolean {
    return this.#tokens.some((token) => token.id === id)
  }

  /** @throws AppError too_many_tokens, storage_unavailable: nothing was changed */
  create(name: string, role: Role, createdAt: string): Promise<{ id: string; token: string }> {
    return this.#inTurn(async () => {
      if (this.#tokens.length >= MOST_TOKENS) {
        throw new AppError('too_many_tokens', `There are ${MOST_TOKENS} access tokens: revoke one that is not used.`)
      }
      const id = randomBytes(6).toString('hex')
      const token = `${PREFIX}_${id}_${randomBytes(32).toString('base64url')}`
      await this.#save([...this.#tokens, { id, name, role, hash: sha256(token).toString('hex'), createdAt }])
      return { id, token }
    })
  }

  /** @throws AppError token_not_found, storage_unavailable: it is still valid then */
  revoke(id: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.has(id)) throw new AppError('token_not_found', `There is no access token "${id.slice(0, 40)}".`)
      await this.#save(this.#tokens.filter((token) => token.id !== id))
    })
  }

  async #save(tokens: readonly StoredToken[]): Promise<void> {
    if (this.#problem !== null) throw new AppError('storage_unavailable', this.#problem)
    try {
      await writeFileAtomic(this.#path, `${JSON.stringify({ tokens }, null, 2)}\n`)
    } catch (error) {
      throw new AppError(
        'storage_unavailable',
        `The access tokens could not be saved (${errnoOf(error) ?? messageOf(error)}): nothing was changed.`,
      )
    }
    this.#tokens = tokens
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(work)
    this.#changing = done.catch(() => undefined)
    return done
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
