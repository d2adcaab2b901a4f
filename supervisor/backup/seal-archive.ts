import type { Clock } from '../../shared/clock.ts'
import { LATE, withDeadline } from '../../shared/deadline.ts'
import { messageOf } from '../../shared/errors.ts'
import type { SealedArchive } from './target.ts'

/** Compresses and seals one session, off the main thread. Rejects with what is wrong, in words without secrets. */
export type SealArchive = (plain: {
  accountId: string
  rev: number
  sessionRevision: number
  savedAtMs: number
  bytes: Buffer
}) => Promise<SealedArchive>

/** Sealing the largest session takes some 100 ms of a thread. */
const SEAL_DEADLINE_MS = 60_000

/** Rejects with a plain Error, never a BackupError: whatever goes wrong here is no trouble of the target. */
export async function sealInTime(
  seal: SealArchive,
  plain: Parameters<SealArchive>[0],
  clock: Clock,
): Promise<SealedArchive> {
  const sealing = seal(plain).catch((error: unknown) => {
    throw new Error(messageOf(error), { cause: error })
  })
  const archive = await withDeadline(sealing, SEAL_DEADLINE_MS, clock)
  if (archive === LATE) throw new Error(`Sealing took longer than ${SEAL_DEADLINE_MS / 1000} s.`)
  return archive
}
