import type { SessionSnapshot } from '../fleet/snapshots.ts'

/** In all: beyond that the newest is not kept, and waits for its worker's return. */
const MOST_BYTES = 256 * 1024 * 1024

/** The sessions that ended workers left and no backup has yet, the last of each account. */
export class LeftSessions {
  readonly #sessions = new Map<string, SessionSnapshot>()

  get bytes(): number {
    return [...this.#sessions.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  /** @returns whether there was room */
  keep(accountId: string, session: SessionSnapshot): boolean {
    const replaced = this.get(accountId)?.bytes.length ?? 0
    if (this.bytes - replaced + session.bytes.length > MOST_BYTES) return false
    this.#sessions.set(accountId, session)
    return true
  }

  has(accountId: string): boolean {
    return this.#sessions.has(accountId)
  }

  get(accountId: string): SessionSnapshot | undefined {
    return this.#sessions.get(accountId)
  }

  delete(accountId: string): void {
    this.#sessions.delete(accountId)
  }
}
