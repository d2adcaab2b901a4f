/**
 * The log of a backup that waits to become the session: the supervisor puts it into an account's directory, the account's
 * worker makes session.log of it (worker/session/recover.ts). It is whole under this name or not there; when it was
 * saved stands in the name.
 */
const PREFIX = 'session.restore-'
const NAME = /^session\.restore-(\d{10,15})$/

/** @param savedAtMs epoch ms of the backup */
export function restoreFileName(savedAtMs: number): string {
  return `${PREFIX}${Math.round(savedAtMs)}`
}

/** Epoch ms of the backup; undefined for any other file. */
export function savedAtOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
