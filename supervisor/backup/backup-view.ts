/** What the API shows of backups; null in its place: none are kept. */
export interface BackupsView {
  readonly health: { state: 'ok' | 'degraded'; oldestUnsavedMs: number | null }
  /** Null where nothing was ever kept of the account, and nothing is to be. */
  viewOf(accountId: string): AccountBackupView | null
  /**
   * What these accounts have that no backup has goes at once.
   * @returns those of them that have something of the kind
   */
  saveNow(accountIds: readonly string[]): string[]
}

export interface AccountBackupView {
  /** Of the backup; null while none is known. */
  revision: number | null
  savedAtMs: number | null
  /** Sealed. */
  bytes: number | null
  /** Something has changed since. */
  pending: boolean
  /** Why there is no newer one, in words. */
  error: string | null
}
