import type { SessionSnapshot } from './snapshots.ts'

/** Who keeps copies of sessions, as far as the fleet knows of them. Nothing of it rejects or takes long. */
export interface SessionWatch {
  changed(accountId: string, change: { creds: boolean; paired: boolean }): void
  /**
   * The account's worker is asked to end: null where its session is not wanted at last, else what of it is kept already
   * (null: nothing, or too old).
   */
  lastWanted(accountId: string): { savedRevision: number | null } | null
  /** What it had at last; it has ended, or soon will have. */
  left(accountId: string, snapshot: SessionSnapshot): void
}
