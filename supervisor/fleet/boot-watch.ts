import type { Clock } from '../../shared/clock.ts'
import type { Registry } from '../accounts/registry.ts'
import type { AccountRecord } from '../accounts/store.ts'

export interface BootResult {
  connected: number
  total: number
  elapsedMs: number
}

/** Past the last planned start: an account that has neither connected nor failed by then is no longer booting. */
const LAST_START_GRACE_MS = 60_000

/**
 * Calls `onComplete` once, when every account of the boot is connected or has come to what it can come to by itself: a
 * state that waits for a person, a first failure, a removal; at the latest a minute after the last planned start.
 * @returns ends the watch
 */
export function watchBoot(
  registry: Registry,
  records: readonly AccountRecord[],
  clock: Clock,
  lastStartMs: number,
  onComplete: (result: BootResult) => void,
): () => void {
  const startedMs = clock.monotonicMs()
  const booting = new Set(records.map(({ accountId }) => accountId))
  const total = booting.size

  const isSettled = (accountId: string): boolean => {
    const account = registry.get(accountId)
    if (account === undefined) return true
    const { status } = registry.statusOf(account)
    return status !== 'connecting'
  }
  const finish = (): void => {
    end()
    const connected = records.filter(({ accountId }) => {
      const account = registry.get(accountId)
      return account !== undefined && registry.statusOf(account).status === 'connected'
    }).length
    onComplete({ connected, total, elapsedMs: Math.round(clock.monotonicMs() - startedMs) })
  }
  const timer = clock.setTimer(lastStartMs + LAST_START_GRACE_MS, finish, { unref: true })
  const unsubscribe = registry.subscribe((accountId) => {
    if (booting.has(accountId) && isSettled(accountId)) booting.delete(accountId)
    if (booting.size === 0) finish()
  })
  const end = (): void => {
    timer.cancel()
    unsubscribe()
  }
  for (const accountId of [...booting]) if (isSettled(accountId)) booting.delete(accountId)
  if (booting.size === 0) finish()
  return end
}
