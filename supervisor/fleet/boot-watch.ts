import type { Clock, Timer } from '../../shared/clock.ts'
import type { Registry } from '../accounts/registry.ts'
import type { AccountRecord } from '../accounts/store.ts'

export interface BootResult {
  connected: number
  total: number
  elapsedMs: number
}

/** No account has come to anything for this long: what is left is stuck, and no longer booting. */
const QUIET_MS = 60_000

/**
 * Calls `onComplete` once, when every account of the boot is connected or has come to what it can come to by itself (a
 * state that waits for a person, a first failure, a removal), or a minute after the last one did, where some never do.
 * @param lastStartMs when the last account starts, from now
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
  let timer: Timer | undefined

  const isSettled = (accountId: string): boolean => {
    const account = registry.get(accountId)
    return account === undefined || registry.statusOf(account).status !== 'connecting'
  }
  const finish = (): void => {
    end()
    const connected = records.filter(({ accountId }) => {
      const account = registry.get(accountId)
      return account !== undefined && registry.statusOf(account).status === 'connected'
    }).length
    onComplete({ connected, total, elapsedMs: Math.round(clock.monotonicMs() - startedMs) })
  }
  const waitOn = (delayMs: number): void => {
    timer?.cancel()
    timer = clock.setTimer(delayMs, finish, { unref: true })
  }
  const unsubscribe = registry.subscribe((accountId) => {
    if (!booting.has(accountId) || !isSettled(accountId)) return
    booting.delete(accountId)
    if (booting.size === 0) return finish()
    const lastStartInMs = Math.max(0, startedMs + lastStartMs - clock.monotonicMs())
    waitOn(lastStartInMs + QUIET_MS)
  })
  const end = (): void => {
    timer?.cancel()
    unsubscribe()
  }
  waitOn(lastStartMs + QUIET_MS)
  for (const accountId of [...booting]) if (isSettled(accountId)) booting.delete(accountId)
  if (booting.size === 0) finish()
  return end
}
