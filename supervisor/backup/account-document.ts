import type { Account, Registry } from '../accounts/registry.ts'
import type { AccountDocument } from './target.ts'

/** What of an account is in its document: what the operator wants, and what its status is. */
export interface DocumentKey {
  wish: string
  status: string
}

/** Two accounts with the same key have the same document, but for its time. */
export function keyOf(account: Account, registry: Registry): DocumentKey {
  const { name, phone, desired } = account.record
  const { status, reason } = registry.statusOf(account)
  return { wish: JSON.stringify([name, phone, desired]), status: `${status} ${reason}` }
}

export function documentOf(account: Account, registry: Registry, updatedAtMs: number): AccountDocument {
  const { accountId, name, phone, desired, createdAt } = account.record
  const { status, reason } = registry.statusOf(account)
  return { accountId, name, phone, desired, status, reason, createdAt, updatedAtMs }
}
