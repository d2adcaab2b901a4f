import { messageOf } from '../../../shared/errors.ts'
import { LEASE_MS } from '../create-backups.ts'
import { BackupError, type ArchiveInfo, type HostDocument } from '../target.ts'
import { lockStopped, ownHost, type CommandContext, type CommandResult } from './context.ts'
import { plainText } from '../words.ts'

/** A fraction of the lease: nobody takes for dead who is at work. */
const SEEN_EVERY_MS = 60_000

/**
 * Seals what is kept of each account with the present key. The newest session takes the place of the older revision
 * first, and its own place only when what was written was read back and opened: at each moment the newest one that is
 * kept is whole. So both revisions hold the newest session afterwards, until the next backup. Its hour stays what it was.
 * What the present key sealed already is left alone, so that this can be done again after it was broken off.
 */
export async function rotateKey(context: CommandContext): Promise<CommandResult> {
  const { config, place, keyRing, clock, print } = context
  const { target } = place
  const lock = await lockStopped(config)
  const host = await ownHost(context)
  try {
    const accounts = await target.readAccounts()
    const result = { resealed: 0, already: 0, left: 0, failed: 0 }
    let seenMs = Number.NEGATIVE_INFINITY
    for (const { accountId } of accounts) {
      if (clock.monotonicMs() - seenMs > SEEN_EVERY_MS) {
        await target.writeHost({ ...host, lastSeenMs: clock.nowMs() })
        seenMs = clock.monotonicMs()
      }
      try {
        const count = await reseal(context, accountId, host)
        if (count > 0) print(`${accountId}: sealed with key ${keyRing.current.id}, read back and opened`)
        result[count > 0 ? 'resealed' : 'already']++
      } catch (error) {
        const isLeft = error instanceof BackupError && error.code === 'owned_elsewhere'
        result[isLeft ? 'left' : 'failed']++
        print(`${accountId}: ${isLeft ? 'left as it is' : 'NOT DONE'}: ${plainText(messageOf(error))}`)
      }
    }
    const { resealed, already, left, failed } = result
    print(`${resealed} sealed anew, ${already} needed nothing, ${left} of other hosts, ${failed} not done`)
    if (left > 0) print('Those of other hosts: do this there as well, and keep the old key until then.')
    if (failed === 0 && left === 0) print('No backup needs an old key any more.')
    return failed === 0 ? 0 : 1
  } finally {
    // As after a stop of the service. Where it fails the lease ends by itself.
    await target.writeHost({ ...host, lastSeenMs: clock.nowMs(), released: true }).catch(() => undefined)
    await lock.release()
  }
}

/** @returns how many revisions were written */
async function reseal(context: CommandContext, accountId: string, host: HostDocument): Promise<number> {
  const { place, keyRing } = context
  const { target } = place
  const isOld = ({ keyId }: ArchiveInfo): boolean => keyId !== keyRing.current.id
  if (!(await target.listArchives(accountId)).some(isOld)) return 0
  const claim = await target.claim(accountId, host, LEASE_MS)
  // Only now nobody else writes them.
  let archives = await target.listArchives(accountId)
  const [newest] = archives
  if (newest === undefined) return 0
  // Never the older one in its place: what can't be opened here may be opened where its key is.
  const bytes = await place.open(accountId, await target.readArchive(accountId, newest.rev))
  let written = 0
  // One revision in each of the two places.
  for (; archives.some(isOld) && written < 2; written++) {
    const rev = Math.max(claim.lastRev, archives[0]?.rev ?? 0) + 1
    const { sessionRevision, savedAtMs } = newest
    const archive = await place.seal({ accountId, rev, sessionRevision, savedAtMs, bytes })
    if ((await target.writeArchive(accountId, claim, archive)) !== 'written') {
      throw new BackupError('failed', 'A newer revision came in between: do it again.')
    }
    const back = await place.open(accountId, await target.readArchive(accountId, rev))
    if (!back.equals(bytes)) throw new BackupError('damaged', `Revision ${rev} is not what was written.`)
    archives = await target.listArchives(accountId)
  }
  if (archives.some(isOld)) throw new BackupError('failed', 'A revision of an old key is still there: do it again.')
  return written
}
