import type { Removals } from './removals.ts'
import { BackupError, type BackupTarget, type Claim, type HostDocument } from './target.ts'

/** An account that is this host's to write, as far as it knows: the target says so with each write. */
export interface HeldClaim {
  readonly claim: Claim
  nextRev: number
}

export interface ClaimsOptions {
  target: BackupTarget
  host: () => HostDocument
  removals: Removals
  leaseMs: number
}

/** The claims of this process. A backup and a restore of one account may claim it at the same time: the last one counts. */
export class Claims {
  readonly #options: ClaimsOptions
  readonly #held = new Map<string, HeldClaim>()

  constructor(options: ClaimsOptions) {
    this.#options = options
  }

  of(accountId: string): HeldClaim | undefined {
    return this.#held.get(accountId)
  }

  /** Before anything is written. Rejects with owned_elsewhere, and whatever else the target says. */
  async claim(accountId: string): Promise<HeldClaim> {
    const { target, host, leaseMs } = this.#options
    await this.#refuseIfSavedSince(accountId)
    const claim = await target.claim(accountId, host(), leaseMs)
    const known = this.#held.get(accountId)
    if (known?.claim.name === claim.name && known.claim.epoch > claim.epoch) return known
    const held = { claim, nextRev: claim.lastRev + 1 }
    this.#held.set(accountId, held)
    return held
  }

  /**
   * Before a restore. This host is seen first: the last thing that is known of it may be that it has let go of everything,
   * and then another one could claim, and restore, the same account in the next moment.
   */
  async claimForRestore(accountId: string): Promise<void> {
    const { target, host } = this.#options
    await target.writeHost(host())
    await this.claim(accountId)
  }

  drop(accountId: string): void {
    this.#held.delete(accountId)
  }

  /**
   * An account that was removed here long ago (the target was away, or none was configured) may have moved to another host,
   * which is not there at the moment: what that one saved since is not this one's to delete.
   */
  async #refuseIfSavedSince(accountId: string): Promise<void> {
    const { target, removals } = this.#options
    const removedAtMs = removals.atMs(accountId)
    if (removedAtMs === undefined) return
    const [newest] = await target.listArchives(accountId).catch((error: unknown) => {
      // What can't be read can be deleted.
      if (error instanceof BackupError && error.code === 'damaged') return []
      throw error
    })
    if (newest === undefined || newest.savedAtMs <= removedAtMs) return
    throw new BackupError(
      'owned_elsewhere',
      `The backups of ${accountId} were saved at ${new Date(newest.savedAtMs).toISOString()}, after it was removed here ` +
        `(${new Date(removedAtMs).toISOString()}): another host has it, and they stay.`,
    )
  }
}
