import type { Clock } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import { findSessions, type FoundSession } from './discover.ts'
import type { AccountRecord, AccountStore } from './store.ts'

/** What the operator wanted (`kept`), and every session that lies on the disk without a record (`found`). */
export async function loadAccounts(
  store: AccountStore,
  sessionsPath: string,
  clock: Clock,
  log: Log,
): Promise<{ kept: AccountRecord[]; found: AccountRecord[] }> {
  const { records, problem } = await store.load()
  if (problem !== undefined) log.error({ event: 'accounts.damaged' }, problem)
  const known = new Set(records.map(({ accountId }) => accountId))
  const found = (await findSessions(sessionsPath)).filter(({ accountId }) => !known.has(accountId))
  for (const { accountId } of found) log.info({ event: 'account.found', accountId }, 'A session without a record')
  const createdAt = new Date(clock.nowMs()).toISOString()
  const recordOf = ({ accountId, phone, name }: FoundSession): AccountRecord => {
    return { accountId, name: name ?? accountId, phone, desired: 'running', purge: false, createdAt }
  }
  return { kept: records, found: found.map(recordOf) }
}
