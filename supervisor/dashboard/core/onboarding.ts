import type { Account } from '../api-types.ts'

/**
 * The walk through all accounts that need a QR code. `order` is fixed when the walk begins and grows at its end, so that
 * nobody loses their place; who is linked or gone is passed over by itself, who was skipped comes again at the end.
 */
export interface Walk {
  order: readonly string[]
  skipped: readonly string[]
  /** Linked since the walk began, in the order in which it happened. */
  linked: readonly string[]
}

export const NEW_WALK: Walk = { order: [], skipped: [], linked: [] }

export interface Step {
  current: string | null
  /** Whose QR code may be fetched while the current one is being scanned. */
  next: string | null
  left: number
}

/** The walk after the accounts have become as they are now; the same object where nothing of it changed. */
export function advance(walk: Walk, accounts: readonly Account[]): Walk {
  const known = new Set(walk.order)
  const arrived = accounts.filter((account) => needsScan(account) && !known.has(account.accountId))
  const linked = new Set(walk.linked)
  const now = accounts.filter(
    ({ accountId, status }) => status === 'connected' && known.has(accountId) && !linked.has(accountId),
  )
  if (arrived.length === 0 && now.length === 0) return walk
  return {
    ...walk,
    order: [...walk.order, ...arrived.map(({ accountId }) => accountId)],
    linked: [...walk.linked, ...now.map(({ accountId }) => accountId)],
  }
}

/** Puts an account at the end of the walk. */
export function skip(walk: Walk, accountId: string): Walk {
  return { ...walk, skipped: [...walk.skipped.filter((id) => id !== accountId), accountId] }
}

/** Brings an account to the front: somebody stands here with this very phone. */
export function choose(walk: Walk, accountId: string): Walk {
  return {
    ...walk,
    order: [accountId, ...walk.order.filter((id) => id !== accountId)],
    skipped: walk.skipped.filter((id) => id !== accountId),
  }
}

/**
 * Who has asked for a code and has none yet is part of the walk like who has one: else the next one, whose code is fetched
 * early, would leave the walk for that moment and its place would be another's.
 * @param holding the account that is on the screen: it stays there while it is on its way up after a scan
 */
export function stepOf(walk: Walk, accounts: readonly Account[], holding: string | null): Step {
  const byId = new Map(accounts.map((account) => [account.accountId, account]))
  const skipped = new Set(walk.skipped)
  const linked = new Set(walk.linked)
  const open = [...walk.order.filter((id) => !skipped.has(id)), ...walk.skipped].filter((id) => {
    const account = byId.get(id)
    if (account === undefined) return false
    if (needsScan(account) || (id === holding && isOnItsWay(account))) return true
    return isAskingForCode(account) && !linked.has(id)
  })
  const current = open.find((id) => id === holding && !skipped.has(id)) ?? open[0] ?? null
  const next = open.find((id) => id !== current) ?? null
  return { current, next, left: open.length }
}

export function needsScan({ needsQR, reason }: Account): boolean {
  return needsQR && reason !== 'paused'
}

function isAskingForCode({ status, reason }: Account): boolean {
  return status === 'connecting' && reason !== 'restart_required'
}

function isOnItsWay({ status, reason }: Account): boolean {
  return status === 'connecting' || reason === 'restart_required'
}
