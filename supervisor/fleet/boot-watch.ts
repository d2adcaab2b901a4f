import type { Clock, Timer } from '../../shared/clock.ts'
import type { Registry } from '../accounts/registry.ts'
import type { AccountRecord } from '../accounts/store.ts'
import { bootProgress, type BootProgress } from '../core/boot-progress.ts'

export interface BootWatch {
  /** Ends the watch; safe to call twice. */
  end: () => void
  /** How far it is; null when it is over. */
  progress: () => BootProgress | null
}

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
 */
export function watchBoot(
  registry: Registry,
  records: readonly AccountRecord[],
  clock: Clock,
  lastStartMs: number,
  onComplete: (result: BootResult) => void,
): BootWatch {
  const startedMs = clock.monotonicMs()
  const booting = new Set(records.map(({ accountId }) => accountId))
  const total = booting.size
  let timer: Timer | undefined
  let isOver = false

  const isSettled = (accountId: string): boolean => {
    const account = registry.get(accountId)
    return account === undefined || registry.statusOf(account).status !== 'connecting'
  }
  const finish = (): void => {
    end()
    const { connected } = count()
    onComplete({ connected, total, elapsedMs: Math.round(clock.monotonicMs() - startedMs) })
  }
  const count = (): { connected: number; settled: number } => {
    const statuses = records.flatMap(({ accountId }) => {
      const account = registry.get(accountId)
      return account === undefined ? [] : [registry.statusOf(account)]
    })
    return {
      connected: statuses.filter(({ status }) => status === 'connected').length,
      settled: statuses.filter(({ status, needsPerson }) => status === 'connected' || needsPerson).length,
    }
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
    isOver = true
    timer?.cancel()
    unsubscribe()
  }
  waitOn(lastStartMs + QUIET_MS)
  for (const accountId of [...booting]) if (isSettled(accountId)) booting.delete(accountId)
  if (booting.size === 0) finish()
  return {
    end,
    progress: () =>
      isOver ? null : bootProgress({ ...count(), total, elapsedMs: clock.monotonicMs() - startedMs, lastStartMs }),
  }
}
