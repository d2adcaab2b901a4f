import { hostname } from 'node:os'
import type { Clock } from '../../../shared/clock.ts'
import { AppError } from '../../../shared/errors.ts'
import type { Log } from '../../../shared/log.ts'
import type { SessionLock } from '../../../shared/session/session-lock.ts'
import type { Config } from '../../config.ts'
import { packageVersion } from '../../package-version.ts'
import { prepareSessionsPath } from '../../storage/prepare.ts'
import { lockSessions } from '../../storage/sessions-lock.ts'
import type { BackupPlace } from '../create-backups.ts'
import { hostId } from '../host-id.ts'
import type { KeyRing } from '../seal.ts'
import type { HostDocument } from '../target.ts'

/** What the commands work with. */
export interface CommandContext {
  config: Config
  place: BackupPlace
  keyRing: KeyRing
  clock: Clock
  log: Log
  print: (line: string) => void
  /** Called, at once and synchronously, when a signal ends the command. Returns what takes it back. */
  onSignal: (cleanUp: () => void) => () => void
}

/** 1: the command did its work, and something is not as it should be. */
export type CommandResult = 0 | 1

/** For what changes backups: the service owns them while it runs. Rejects with AppError unavailable where it does. */
export async function lockStopped(config: Config): Promise<SessionLock> {
  await prepareSessionsPath(config)
  try {
    return await lockSessions(config.sessionsPath)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'unavailable') throw error
    throw new AppError(
      'unavailable',
      `${config.sessionsPath} is in use: the service runs, and as long as it does the backups are its own. ` +
        'Stop it, do this, and start it again.',
      { cause: error },
    )
  }
}

/** Under the name of the service that is stopped: what it owns is its own again at its next start. */
export async function ownHost({ config, clock }: CommandContext): Promise<HostDocument> {
  return {
    hostId: await hostId(config.sessionsPath),
    name: hostname(),
    version: await packageVersion(),
    lastSeenMs: clock.nowMs(),
    released: false,
  }
}
