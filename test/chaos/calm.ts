import { until } from '../fixtures/until.ts'
import type { Field } from './carry-out.ts'

/**
 * Waits until all is well again: every account that should be is connected, and every message has its receipt, the last
 * one to each account included, which was sent after the last fault: a connection that only looks open gets none.
 * @returns how long that took; null when it took longer than `limitMs`
 */
export async function calm(
  { service, traffic, accountIds }: Field,
  unlinked: ReadonlySet<string>,
  receipted: ReadonlySet<string>,
  limitMs: number,
): Promise<number | null> {
  const startedMs = performance.now()
  const wanted = new Set([...accountIds].filter(([phone]) => !unlinked.has(phone)).map(([, accountId]) => accountId))
  const isWell = async (): Promise<boolean> => {
    if (traffic.sent.some(({ id, phone }) => !unlinked.has(phone) && !receipted.has(id))) return false
    const rows = await service.look()
    const up = rows?.filter(({ accountId, status }) => wanted.has(accountId) && status === 'connected')
    const parked = rows?.filter(({ accountId }) => !wanted.has(accountId)).every(({ status }) => status === 'needs_qr')
    return up?.length === wanted.size && parked === true
  }
  return until('calm', isWell, undefined, limitMs).then(
    () => performance.now() - startedMs,
    () => null,
  )
}
