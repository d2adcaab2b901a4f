import type { StartMessage } from '../../shared/ipc.ts'
import type { Account } from '../accounts/registry.ts'

/** What each worker is told at its start, the same for all of a fleet. */
export type FleetStart = Omit<
  StartMessage,
  'type' | 'accountId' | 'phone' | 'pairing' | 'recover' | 'backup' | 'socket'
> & {
  socket: Pick<StartMessage['socket'], 'url' | 'noiseRootKey'>
}

/** What changes from one start to the next. */
interface ThisStart {
  /** The client version to announce, and what goes with it. */
  order: Omit<StartMessage['socket'], 'url' | 'noiseRootKey'>
  /** Whether somebody keeps copies of sessions. */
  backup: boolean
  nowMs: number
}

/** A QR code that was asked for this long ago may still be wanted by somebody: a restarted worker shows a new one. */
const PAIRING_MEMORY_MS = 5 * 60_000

/** @param account as it was before its process was made: a recovery that it asks for is for that process alone */
export function startMessageOf(account: Account, fleet: FleetStart, { order, backup, nowMs }: ThisStart): StartMessage {
  const { record, pairingAskedAtMs, recoverFrom } = account
  return {
    ...fleet,
    socket: { ...fleet.socket, ...order },
    type: 'start',
    backup,
    accountId: record.accountId,
    phone: record.phone,
    pairing: pairingAskedAtMs !== null && nowMs - pairingAskedAtMs < PAIRING_MEMORY_MS,
    // One that dies of it is followed by one that refuses the session as before.
    recover: recoverFrom,
  }
}
